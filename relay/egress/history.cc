#include "relay/egress/history.h"

#include <algorithm>

namespace postern::relay {
namespace {

constexpr std::int64_t kept_days = 30;
constexpr std::size_t most_learnt = 10'000;

}  // namespace

std::int64_t utc_day(Time now) {
    return std::chrono::floor<std::chrono::days>(now).time_since_epoch().count();
}

void AddressHistory::use(const std::vector<EgressSettings>& pool, Time now) {
    const auto today = utc_day(now);
    const auto in_pool = [&](const std::string& address) {
        return std::any_of(pool.begin(), pool.end(),
                           [&](const auto& egress) { return egress.address == address; });
    };
    const auto forgotten = std::erase_if(records_, [&](const auto& entry) {
        const auto& [address, record] = entry;
        return !address.empty() && record.left && today - *record.left > kept_days && !in_pool(address);
    });
    const bool others =
        std::any_of(records_.begin(), records_.end(), [](const auto& entry) { return !entry.first.empty(); });
    bool changed = forgotten > 0;
    for (const auto& egress : pool) {
        const auto [at, fresh] = records_.try_emplace(egress.address);
        AddressRecord& record = at->second;
        changed = changed || fresh || record.left;
        if (fresh || (record.left && today - *record.left > kept_days))
            record = {.since = today, .joined = others, .left = {}, .day = today, .sent = 0};
        record.left.reset();
    }
    for (auto& [address, record] : records_)
        if (!address.empty() && !record.left && !in_pool(address)) {
            record.left = today;
            changed = true;
        }
    if (changed) ++revision_;
}

void AddressHistory::count(const std::string& address, Time now) {
    auto at = records_.find(address);
    if (at == records_.end()) {
        if (!address.empty()) return;
        at = records_.try_emplace(address).first;
    }
    const auto today = utc_day(now);
    if (at->second.day != today) at->second.sent = 0;
    at->second.day = today;
    ++at->second.sent;
    ++counted_;
}

std::uint64_t AddressHistory::sent_today(std::string_view address, Time now) const {
    const auto at = records_.find(address);
    return at == records_.end() || at->second.day != utc_day(now) ? 0 : at->second.sent;
}

std::optional<AddressHistory::WarmUpDay> AddressHistory::warm_up(const EgressSettings& egress,
                                                                 const std::vector<unsigned>& plan,
                                                                 Time now) const {
    const auto at = records_.find(egress.address);
    if (at == records_.end() || egress.warm_up == WarmUp::no) return std::nullopt;
    if (egress.warm_up == WarmUp::automatic && !at->second.joined) return std::nullopt;
    const auto day = static_cast<std::uint64_t>(std::max<std::int64_t>(utc_day(now) - at->second.since, 0));
    if (day >= plan.size()) return std::nullopt;
    return WarmUpDay{static_cast<unsigned>(day + 1), plan[day]};
}

void AddressHistory::load(std::map<std::string, AddressRecord, std::less<>> records, Time now) {
    const auto today = utc_day(now);
    records_ = std::move(records);
    // A clock that was ahead when the state was saved must not keep an address at its first day for years.
    for (auto& [address, record] : records_) {
        record.since = std::min(record.since, today);
        if (record.left) record.left = std::min(*record.left, today);
    }
}

void AddressHistory::learn(const std::string& address, const AddressRecord& theirs, Time now) {
    const auto today = utc_day(now);
    // Of the system's choice each machine has one of its own.
    if (address.empty() || theirs.day > today + 1 || theirs.since > today + 1) return;
    const bool known = records_.contains(address);
    if (!known && (theirs.left || records_.size() >= most_learnt)) return;
    AddressRecord& ours = records_[address];
    const AddressRecord before = ours;
    if (!known) {
        ours = theirs;
        ours.left = today;  // it is none of this one's pool
    } else if (theirs.since < ours.since && !theirs.left) {
        ours.since = theirs.since;
        ours.joined = theirs.joined;
    }
    if (theirs.day > ours.day || (theirs.day == ours.day && theirs.sent > ours.sent)) {
        ours.day = theirs.day;
        ours.sent = theirs.sent;
    }
    if (before != ours) ++revision_;
}

}  // namespace postern::relay
