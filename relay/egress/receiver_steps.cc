#include "relay/egress/receiver_steps.h"

#include "relay/egress/history.h"
#include "sync/base/forget_oldest.h"

namespace postern::relay {
namespace {

constexpr std::uint32_t put_off_few = 3;  // of a day, that mean nothing
constexpr std::uint32_t one_in = 10;      // messages put off are too many
constexpr unsigned step_most = 1000;

bool troubled(const ReceiverStep& one) {
    return one.put_off >= put_off_few && one.put_off > (one.taken + one.put_off) / one_in;
}

}  // namespace

/// As it is on the day of `now`: what a day before was like has moved it one step.
ReceiverStep ReceiverSteps::today(const std::string& address, std::string_view site, Time now) const {
    const auto found = steps_.find(Key{address, site});
    const auto day = utc_day(now);
    if (found == steps_.end()) return {0, day, 0, 0};
    ReceiverStep out = found->second;
    if (out.day == day) return out;
    if (troubled(out))
        out.step -= out.step > 0 ? 1 : 0;
    else if (out.taken > 0 && out.step < step_most)
        ++out.step;
    out.day = day;
    out.taken = out.put_off = 0;
    return out;
}

ReceiverStep& ReceiverSteps::of_today(const std::string& address, std::string_view site, Time now) {
    const auto step = today(address, site, now);
    if (steps_.size() >= most + most / 10)
        base::forget_oldest(
            steps_, most, [](const ReceiverStep&) { return true; },
            [](const ReceiverStep& one) { return one.day; });
    auto& out = steps_[Key{address, site}];
    out = step;
    return out;
}

void ReceiverSteps::took(const std::string& address, std::string_view site, Time now) {
    ++of_today(address, site, now).taken;
}

void ReceiverSteps::put_off(const std::string& address, std::string_view site, Time now) {
    ++of_today(address, site, now).put_off;
}

unsigned ReceiverSteps::step(const std::string& address, std::string_view site, Time now) const {
    return today(address, site, now).step;
}

bool ReceiverSteps::held_back(const std::string& address, std::string_view site, Time now) const {
    return troubled(today(address, site, now));
}

std::uint64_t ReceiverSteps::taken_today(const std::string& address, std::string_view site, Time now) const {
    return today(address, site, now).taken;
}

std::vector<std::string> ReceiverSteps::holding_back(const std::string& address, Time now) const {
    std::vector<std::string> out;
    for (auto one = steps_.lower_bound({address, {}}); one != steps_.end() && one->first.first == address;
         ++one)
        if (held_back(address, one->first.second, now)) out.push_back(one->first.second);
    return out;
}

void ReceiverSteps::forget(const std::string& address) {
    const auto first = steps_.lower_bound({address, {}});
    auto end = first;
    while (end != steps_.end() && end->first.first == address) ++end;
    steps_.erase(first, end);
}

void ReceiverSteps::learn(const Key& key, const ReceiverStep& theirs, Time now) {
    if (theirs.day > utc_day(now) + 1) return;
    const auto found = steps_.find(key);
    if (found == steps_.end()) {
        if (steps_.size() < most) steps_.emplace(key, theirs);
        return;
    }
    ReceiverStep& ours = found->second;
    if (theirs.day > ours.day ||
        (theirs.day == ours.day && theirs.taken + theirs.put_off > ours.taken + ours.put_off))
        ours = theirs;
}

}  // namespace postern::relay
