#include "relay/volume/sliding_count.h"

#include <algorithm>
#include <limits>

namespace postern::relay {

namespace {

/// Seconds, rounded up, so that the whole length is covered.
std::chrono::seconds step_of(std::chrono::seconds length) {
    constexpr auto steps = static_cast<std::int64_t>(SlidingCount::steps);
    return std::chrono::seconds((length.count() + steps - 1) / steps);
}

}  // namespace

std::int64_t SlidingCount::number_of(base::Time at, std::chrono::seconds length) {
    return std::chrono::floor<std::chrono::seconds>(at.time_since_epoch()) / step_of(length);
}

SlidingCount::Step& SlidingCount::step_at(std::int64_t number) {
    return steps_[static_cast<std::size_t>(number % static_cast<std::int64_t>(steps))];
}

void SlidingCount::put(const Step& step) {
    if (step.number < 0) return;
    Step& here = step_at(step.number);
    if (here.number > step.number) return;  // that time is over
    if (here.number < step.number) {
        here = {step.number, 0};
        summed_at_ = none;
    }
    const std::uint32_t most = std::numeric_limits<std::uint32_t>::max();
    const std::uint32_t more = std::min(step.count, most - here.count);
    here.count += more;
    if (step.number > summed_at_ - static_cast<std::int64_t>(steps)) summed_ += more;
}

void SlidingCount::raise_to(const SlidingCount& other) {
    for (const Step& step : other.steps_) {
        if (step.count == 0) continue;
        const Step& here = step_at(step.number);
        const std::uint32_t known = here.number == step.number ? here.count : 0;
        if (known < step.count) put({step.number, step.count - known});
    }
}

void SlidingCount::add(base::Time at, std::chrono::seconds length, std::uint32_t count) {
    put({number_of(at, length), count});
}

void SlidingCount::take_back(base::Time at, std::chrono::seconds length, std::uint32_t count) {
    const std::int64_t number = number_of(at, length);
    if (number < 0) return;
    Step& here = step_at(number);
    if (here.number != number) return;
    here.count -= std::min(here.count, count);
    summed_at_ = none;
}

std::uint64_t SlidingCount::sum(base::Time now, std::chrono::seconds length) const {
    const std::int64_t last = number_of(now, length);
    if (last == summed_at_) return summed_;
    summed_at_ = last;
    summed_ = 0;
    for (const Step& step : steps_)
        if (step.number > last - static_cast<std::int64_t>(steps)) summed_ += step.count;
    return summed_;
}

base::Time SlidingCount::falls_to(std::uint64_t left, base::Time now, std::chrono::seconds length) const {
    auto sorted = steps_;
    std::sort(sorted.begin(), sorted.end(), [](const Step& a, const Step& b) { return a.number < b.number; });
    const std::int64_t last = number_of(now, length);
    std::uint64_t counted = sum(now, length);
    for (const Step& step : sorted) {
        if (counted <= left) break;
        if (step.number <= last - static_cast<std::int64_t>(steps)) continue;
        counted -= step.count;
        now = base::Time((step.number + static_cast<std::int64_t>(steps)) * step_of(length));
    }
    return now;
}

}  // namespace postern::relay
