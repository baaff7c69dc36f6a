#include "relay/egress/verdicts.h"

#include <algorithm>

namespace postern::relay {
namespace {

constexpr std::size_t most_verdicts = 10'000;
constexpr std::size_t longest_text = 500;
constexpr unsigned enough_accepted = 3;
constexpr std::chrono::minutes probe_pause{1};
constexpr std::chrono::hours longest_doubled{24};
constexpr std::chrono::hours longest_hold{24 * 30};
constexpr std::chrono::hours longest_probation{24 * 30};
constexpr unsigned most_times = 1000;

Time later(Time now, std::chrono::seconds by) { return now > Time::max() - by ? Time::max() : now + by; }

/// From the widest to the narrowest.
std::vector<std::string_view> parts(const SitePart& place) {
    std::vector<std::string_view> out{""};
    if (!place.site.empty()) out.push_back(place.site);
    if (!place.domain.empty()) out.push_back(place.domain);
    return out;
}

std::chrono::seconds doubled(std::chrono::seconds hold, unsigned times) {
    const auto most = std::max<std::chrono::seconds>(hold, longest_doubled);
    for (unsigned i = 1; i < times && hold < most; ++i) hold = std::min(hold * 2, most);
    return hold;
}

std::vector<std::string_view> words_of(std::string_view text) {
    std::vector<std::string_view> out;
    while (!text.empty()) {
        const auto end = std::min(text.find(' '), text.size());
        if (end > 0) out.push_back(text.substr(0, end));
        text.remove_prefix(std::min(end + 1, text.size()));
    }
    return out;
}

/// Without a network or an owner in common.
bool independent(std::string_view witness, std::string_view other) {
    const auto theirs = words_of(other);
    const auto ours = words_of(witness);
    return std::none_of(ours.begin(), ours.end(), [&](std::string_view word) {
        return std::find(theirs.begin(), theirs.end(), word) != theirs.end();
    });
}

/// As it may stand in a file, or come from elsewhere.
EgressVerdict bounded(EgressVerdict verdict) {
    verdict.times = std::clamp(verdict.times, 1U, most_times);
    verdict.accepted = std::min(verdict.accepted, enough_accepted - 1);
    if (verdict.until < verdict.since) verdict.until = verdict.since;
    verdict.until = std::min(verdict.until, later(verdict.since, longest_hold));
    return verdict;
}

}  // namespace

std::string owner_of(std::string_view domain) {
    std::size_t dot = domain.rfind('.');
    if (dot == std::string_view::npos || dot == 0) return std::string(domain);
    std::size_t second = domain.rfind('.', dot - 1);
    if (second == std::string_view::npos) return std::string(domain);
    // "co.uk", "com.br" and their like are not anybody's.
    const bool registry = domain.size() - dot <= 3 && dot - second <= 4;
    if (registry && second > 0)
        if (std::size_t third = domain.rfind('.', second - 1); third != std::string_view::npos)
            return std::string(domain.substr(third + 1));
    return std::string(registry ? domain : domain.substr(second + 1));
}

template <typename Entries, typename Each>
void Verdicts::visit(Entries& entries, std::string_view address, const SitePart& place, Each each) {
    for (std::string_view where : parts(place)) {
        auto at = entries.lower_bound(std::tuple(address, where, std::string_view()));
        while (at != entries.end() && at->second.verdict.address == address &&
               at->second.verdict.site == where)
            each(at++);
    }
}

Verdicts::Finding Verdicts::find(std::string_view address, const SitePart& place, Time now) const {
    Finding found;
    visit(entries_, address, place, [&](Map::const_iterator at) {
        const auto& [verdict, probed] = at->second;
        found.standing =
            std::max(found.standing, verdict.holds(now) ? Standing::listed : Standing::probation);
        if (!found.verdict || verdict.until > found.verdict->until) found.verdict = &verdict;
        if (probed && now >= *probed && now - *probed < probe_pause) found.probe_due = false;
    });
    return found;
}

EgressVerdict Verdicts::put(EgressVerdict verdict) {
    verdict.text.resize(std::min(verdict.text.size(), longest_text));
    Key key(verdict.address, verdict.site, verdict.zone);
    if (entries_.size() >= most_verdicts && !entries_.contains(key))
        entries_.erase(std::min_element(entries_.begin(), entries_.end(), [](const auto& a, const auto& b) {
            return a.second.verdict.since < b.second.verdict.since;
        }));
    ++revision_;
    return (entries_[std::move(key)] = {std::move(verdict), std::nullopt}).verdict;
}

std::optional<EgressVerdict> Verdicts::refuse(EgressVerdict verdict, std::chrono::seconds hold, Time now) {
    notice(now);
    hold = std::clamp<std::chrono::seconds>(hold, std::chrono::seconds(1), longest_hold);
    const auto known = entries_.find(std::tuple(
        std::string_view(verdict.address), std::string_view(verdict.site), std::string_view(verdict.zone)));
    verdict.times = 1;
    if (known != entries_.end()) {
        if (known->second.verdict.holds(now)) return std::nullopt;
        verdict.times = std::min(known->second.verdict.times + 1, most_times);
    }
    verdict.since = now;
    verdict.until = later(now, doubled(hold, verdict.times));
    return put(std::move(verdict));
}

std::optional<EgressVerdict> Verdicts::confirm(EgressVerdict verdict, std::chrono::seconds hold, Time now) {
    notice(now);
    hold = std::clamp<std::chrono::seconds>(hold, std::chrono::seconds(1), longest_hold);
    verdict.since = now;
    verdict.until = later(now, hold);
    const auto known = entries_.find(std::tuple(
        std::string_view(verdict.address), std::string_view(verdict.site), std::string_view(verdict.zone)));
    if (known != entries_.end() && known->second.verdict.holds(now)) {
        auto& old = known->second.verdict;
        if (verdict.until > old.until) {
            old.until = verdict.until;
            ++revision_;
        }
        return std::nullopt;
    }
    if (known != entries_.end()) verdict.times = std::min(known->second.verdict.times + 1, most_times);
    return put(std::move(verdict));
}

std::vector<EgressVerdict> Verdicts::accept(std::string_view address, const SitePart& place, Time now) {
    notice(now);
    std::vector<EgressVerdict> over;
    visit(entries_, address, place, [&](Map::iterator at) {
        auto& verdict = at->second.verdict;
        if (verdict.holds(now)) return;
        ++revision_;
        if (++verdict.accepted < enough_accepted) return;
        over.push_back(std::move(verdict));
        entries_.erase(at);
    });
    return over;
}

void Verdicts::probed(std::string_view address, const SitePart& place, Time now) {
    visit(entries_, address, place, [&](Map::iterator at) { at->second.probed = now; });
}

bool Verdicts::spoke_against_another(std::string_view witness, std::string_view address) const {
    return std::any_of(entries_.begin(), entries_.end(), [&](const auto& entry) {
        const auto& verdict = entry.second.verdict;
        return verdict.site.empty() && verdict.zone.empty() && verdict.address != address &&
               !independent(verdict.witness, witness);
    });
}

std::string Verdicts::second_witness(std::string_view address, std::string_view witness, Time now) const {
    for (const auto& [key, entry] : entries_) {
        const auto& other = entry.verdict;
        if (other.address == address && !other.witness.empty() && other.holds(now) &&
            independent(other.witness, witness) && !spoke_against_another(other.witness, address))
            return other.witness;
    }
    return {};
}

bool Verdicts::refused_another(std::string_view address, const SitePart& place, Time now) const {
    const auto owner = owner_of(std::string_view(place.domain).substr(1));
    return std::any_of(entries_.begin(), entries_.end(), [&](const auto& entry) {
        const auto& verdict = entry.second.verdict;
        return verdict.address == address && verdict.at == place.site && verdict.holds(now) &&
               verdict.site.starts_with('@') && owner_of(std::string_view(verdict.site).substr(1)) != owner;
    });
}

std::optional<EgressVerdict> Verdicts::withdraw(std::string_view address, std::string_view zone) {
    const auto at = entries_.find(std::tuple(address, std::string_view(), zone));
    if (at == entries_.end()) return std::nullopt;
    auto verdict = std::move(at->second.verdict);
    entries_.erase(at);
    ++revision_;
    return verdict;
}

template <typename Condition>
bool Verdicts::erase(Condition condition) {
    const bool any =
        std::erase_if(entries_, [&](const auto& entry) { return condition(entry.second.verdict); });
    if (any) ++revision_;
    return any;
}

bool Verdicts::drop(std::string_view address, std::string_view site) {
    return erase([&](const EgressVerdict& verdict) {
        return verdict.address == address && (site.empty() || verdict.site == site);
    });
}

void Verdicts::keep_zones(const std::vector<std::string>& zones) {
    erase([&](const EgressVerdict& verdict) {
        return !verdict.zone.empty() && std::find(zones.begin(), zones.end(), verdict.zone) == zones.end();
    });
}

void Verdicts::notice(Time now) {
    if (now < clock_)
        for (auto& [key, entry] : entries_) {
            auto& verdict = entry.verdict;
            if (verdict.since <= now) continue;
            verdict.until =
                later(now, std::chrono::ceil<std::chrono::seconds>(verdict.until - verdict.since));
            verdict.since = now;
            entry.probed.reset();
            ++revision_;
        }
    const bool new_day =
        std::chrono::floor<std::chrono::days>(now) != std::chrono::floor<std::chrono::days>(clock_);
    clock_ = now;
    if (new_day)
        erase([&](const EgressVerdict& verdict) {
            return !verdict.holds(now) && later(verdict.until, longest_probation) < now;
        });
}

void Verdicts::load(std::vector<EgressVerdict> verdicts, Time now) {
    // As if the clock had been at its end: what began in the future begins now.
    clock_ = Time::max();
    for (auto& verdict : verdicts) put(bounded(std::move(verdict)));
    notice(now);
    revision_ = 0;
}

void Verdicts::learn(EgressVerdict verdict, bool over, Time now) {
    notice(now);
    const auto known = entries_.find(std::tuple(
        std::string_view(verdict.address), std::string_view(verdict.site), std::string_view(verdict.zone)));
    if (known != entries_.end() && known->second.verdict.since > verdict.since) return;
    if (!over) {
        // By a clock that is ahead of this one.
        const auto ahead = std::max(verdict.since, now) - now;
        verdict.since -= ahead;
        verdict.until -= std::min(ahead, verdict.until.time_since_epoch());
        put(bounded(std::move(verdict)));
    } else if (known != entries_.end()) {
        entries_.erase(known);
        ++revision_;
    }
}

std::vector<EgressVerdict> Verdicts::all() const {
    std::vector<EgressVerdict> verdicts;
    verdicts.reserve(entries_.size());
    for (const auto& [key, entry] : entries_) verdicts.push_back(entry.verdict);
    return verdicts;
}

std::vector<EgressVerdict> Verdicts::of(std::string_view address) const {
    std::vector<EgressVerdict> verdicts;
    for (auto at = entries_.lower_bound(std::tuple(address, std::string_view(), std::string_view()));
         at != entries_.end() && at->second.verdict.address == address; ++at)
        verdicts.push_back(at->second.verdict);
    return verdicts;
}

}  // namespace postern::relay
