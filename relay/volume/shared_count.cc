#include "relay/volume/shared_count.h"

#include <algorithm>
#include <limits>

#include "sync/base/words.h"

namespace postern::relay {

namespace {

constexpr std::uint64_t tolerated = 20;  // a limit is exceeded by one such part, at the most
constexpr auto all_steps = static_cast<std::int64_t>(SlidingCount::steps);

/// The step that most of another clock's step lies in.
std::int64_t moved(std::int64_t number, std::chrono::seconds step, std::chrono::seconds ahead) {
    const std::int64_t middle = number * step.count() + step.count() / 2 + ahead.count();
    return middle < 0 ? 0 : middle / step.count();
}

}  // namespace

std::uint32_t untold_most(std::uint64_t limit, unsigned gateways) {
    const std::uint64_t most = limit / (tolerated * std::max(1U, gateways));
    return static_cast<std::uint32_t>(
        std::min<std::uint64_t>(most, std::numeric_limits<std::uint32_t>::max() / 4));
}

void SharedCount::told(std::uint32_t granted, const SlidingCount& others) {
    untold_ -= std::min(untold_, telling_);
    telling_ = 0;
    granted_ = granted;
    met_ = true;
    others_ = others;
}

SlidingCount SharedCount::with(const SlidingCount& own) const {
    SlidingCount out = own;
    for (const auto& step : others_.all())
        if (step.count > 0) out.put(step);
    return out;
}

std::string steps_told(const SlidingCount& counts, base::Time now, std::chrono::seconds period,
                       std::chrono::seconds ahead) {
    const auto step = period / static_cast<int>(SlidingCount::steps);
    const std::int64_t last = SlidingCount::number_of(now, period);
    std::string out;
    for (const auto& one : counts.all()) {
        if (one.count == 0 || one.number <= last - all_steps) continue;
        if (!out.empty()) out += ',';
        out += std::to_string(moved(one.number, step, ahead)) + '=' + std::to_string(one.count);
    }
    return out;
}

SlidingCount steps_heard(std::string_view text, base::Time now, std::chrono::seconds period,
                         std::chrono::seconds ahead) {
    const auto step = period / static_cast<int>(SlidingCount::steps);
    const std::int64_t last = SlidingCount::number_of(now, period);
    SlidingCount out;
    while (!text.empty()) {
        auto pair = base::take_part(text, ',');
        SlidingCount::Step one;
        if (!base::parse_number(base::take_part(pair, '='), one.number) ||
            !base::parse_number(pair, one.count) || one.number < 0 ||
            one.number > std::numeric_limits<std::int64_t>::max() / 10'000)
            continue;
        one.number = moved(one.number, step, -ahead);
        if (one.number <= last - all_steps || one.number > last + 1) continue;
        one.number = std::min(one.number, last);
        out.put(one);
    }
    return out;
}

}  // namespace postern::relay
