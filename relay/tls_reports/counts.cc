#include "relay/tls_reports/counts.h"

#include <algorithm>
#include <functional>
#include <string_view>

#include "sync/base/utf8.h"

namespace postern::relay {

namespace {

using std::chrono::days;

constexpr days too_old{3};

constexpr std::chrono::seconds first_after = std::chrono::minutes(10), last_after = std::chrono::hours(4);

std::size_t octets_of(const ReportedPolicy& policy) {
    std::size_t out = sizeof policy + policy.domain.size();
    for (const auto* list : {&policy.lines, &policy.hosts})
        for (const std::string& one : *list) out += sizeof(std::string) + one.size();
    return out;
}

std::size_t octets_of(const TlsFailures& one) {
    return sizeof one + one.sending.size() + one.host.size() + one.helo.size() + one.receiving.size() +
           one.reason.size();
}

std::size_t octets_of(const TlsPeriod& period) {
    std::size_t out = sizeof period;
    for (const auto& sessions : period.policies) {
        out += sizeof sessions + octets_of(sessions.policy);
        for (const auto& one : sessions.failures) out += octets_of(one);
    }
    return out;
}

void cut(std::vector<std::string>& list, const TlsCountsLimits& limits) {
    if (list.size() > limits.lines) list.resize(limits.lines);
    for (auto& one : list) one = base::shown(one, limits.text);
}

ReportedPolicy bounded(ReportedPolicy policy, const TlsCountsLimits& limits) {
    policy.domain = base::shown(policy.domain, limits.text);
    cut(policy.lines, limits);
    cut(policy.hosts, limits);
    return policy;
}

TlsFailures bounded(TlsFailures one, const TlsCountsLimits& limits) {
    for (auto* text : {&one.sending, &one.host, &one.helo, &one.receiving, &one.reason})
        *text = base::shown(*text, limits.text);
    return one;
}

}  // namespace

bool TlsFailures::alike(const TlsFailures& other) const {
    return result == other.result && sending == other.sending && host == other.host && helo == other.helo &&
           receiving == other.receiving && reason == other.reason;
}

std::uint64_t TlsPeriod::successful() const {
    std::uint64_t out = 0;
    for (const auto& one : policies) out += one.successful;
    return out;
}

std::uint64_t TlsPeriod::failed() const {
    std::uint64_t out = 0;
    for (const auto& one : policies) out += one.failed;
    return out;
}

Time day_begin(Time time) { return std::chrono::floor<days>(time); }
Time day_end(Time time) { return std::chrono::floor<days>(time) + days(1); }

Time report_time(const std::string& domain, Time end) {
    // FNV-1a: the same at every start.
    std::uint64_t sum = 14695981039346656037u;
    for (const char c : domain) sum = (sum ^ static_cast<unsigned char>(c)) * 1099511628211u;
    const auto span = static_cast<std::uint64_t>((last_after - first_after).count());
    return end + first_after + std::chrono::seconds(static_cast<std::int64_t>((sum >> 16) % span));
}

bool TlsCounts::has_room(const TlsPeriod& period, std::size_t octets) const {
    return octets_ + octets <= limits_.octets && octets_of(period) + octets <= limits_.octets_of_one;
}

/// The one that is counted at present; null when there is no room for it.
TlsPeriod* TlsCounts::period_for(const std::string& domain, Time now) {
    Time begin = day_begin(now);
    if (auto after = periods_.upper_bound({domain, now}); after != periods_.begin()) {
        const auto last = std::prev(after);
        if (last->first.first == domain) {
            if (last->second.state == TlsPeriod::State::open && now < last->second.end) return &last->second;
            begin = std::max(begin, last->second.end);
        }
    }
    // The clock on the wall may have been put back.
    if (const auto same = periods_.find({domain, begin}); same != periods_.end())
        return same->second.state == TlsPeriod::State::open ? &same->second : nullptr;
    if (periods_.size() >= limits_.periods || octets_ + sizeof(TlsPeriod) > limits_.octets) return nullptr;
    TlsPeriod& out = periods_[{domain, begin}];
    out.begin = begin;
    out.end = day_end(now);
    out.due = report_time(domain, out.end);
    octets_ += octets_of(out);
    return &out;
}

PolicySessions* TlsCounts::sessions_for(TlsPeriod& period, const ReportedPolicy& policy) {
    for (auto& one : period.policies)
        if (one.policy == policy) return &one;
    const std::size_t octets = sizeof(PolicySessions) + octets_of(policy);
    if (period.policies.size() >= limits_.policies || !has_room(period, octets)) return nullptr;
    octets_ += octets;
    return &period.policies.emplace_back(PolicySessions{policy, 0, 0, {}, 0});
}

void TlsCounts::add(const std::string& domain, const JudgedSession& judged, const TlsSession& session,
                    Time now) {
    TlsPeriod* period = period_for(domain, now);
    PolicySessions* sessions =
        period == nullptr ? nullptr : sessions_for(*period, bounded(judged.policy, limits_));
    if (sessions == nullptr) {
        ++left_out_;
        return;
    }
    if (judged.result == TlsResult::success) {
        ++sessions->successful;
        return;
    }
    ++sessions->failed;
    TlsFailures failure = bounded(
        {judged.result, session.sending, session.host, session.helo, session.receiving, judged.reason, 1},
        limits_);
    for (auto& one : sessions->failures)
        if (one.alike(failure)) {
            ++one.sessions;
            return;
        }
    if (sessions->failures.size() >= limits_.failures || !has_room(*period, octets_of(failure))) {
        ++sessions->untold;
        return;
    }
    octets_ += octets_of(failure);
    sessions->failures.push_back(std::move(failure));
}

bool TlsCounts::end_early(const std::string& domain, Time now) {
    bool any = false;
    for (auto at = periods_.lower_bound({domain, Time()}); at != periods_.end() && at->first.first == domain;
         ++at) {
        TlsPeriod& one = at->second;
        if (one.state != TlsPeriod::State::open) continue;
        // Never of no length: what is counted next begins where it ends.
        one.end = std::min<Time>(one.end, std::max<Time>(now, one.begin + std::chrono::seconds(1)));
        one.due = std::min(one.due, now);
        any = true;
    }
    return any;
}

std::vector<TlsCounts::Key> TlsCounts::due(Time now, std::size_t most) const {
    std::vector<std::pair<Time, Key>> found;
    for (const auto& [key, one] : periods_)
        if (one.state == TlsPeriod::State::open && one.end <= now && one.due <= now)
            found.emplace_back(one.due, key);
    std::sort(found.begin(), found.end());
    if (found.size() > most) found.resize(most);
    std::vector<Key> out;
    for (auto& [time, key] : found) out.push_back(std::move(key));
    return out;
}

const TlsPeriod* TlsCounts::find(const Key& key) const {
    const auto at = periods_.find(key);
    return at == periods_.end() ? nullptr : &at->second;
}

void TlsCounts::put_off(const Key& key, Time until, const std::string& why) {
    const auto at = periods_.find(key);
    if (at == periods_.end()) return;
    ++at->second.attempts;
    at->second.due = until;
    at->second.trouble = base::shown(why, limits_.text);
}

void TlsCounts::settle(const Key& key, TlsPeriod::State state, const std::string& why, Time now) {
    const auto at = periods_.find(key);
    if (at == periods_.end()) return;
    if (day_end(at->second.begin) <= now) return erase(at);
    octets_ -= octets_of(at->second);
    at->second.policies.clear();
    octets_ += octets_of(at->second);
    at->second.state = state;
    at->second.trouble = base::shown(why, limits_.text);
}

void TlsCounts::forget(Time now) {
    for (auto at = periods_.begin(); at != periods_.end();) {
        const auto one = at++;
        const bool settled = one->second.state != TlsPeriod::State::open;
        if ((settled && day_end(one->second.begin) <= now) || one->second.end + too_old <= now) erase(one);
    }
}

void TlsCounts::erase(Periods::iterator at) {
    octets_ -= octets_of(at->second);
    periods_.erase(at);
}

void TlsCounts::restore(const std::string& domain, TlsPeriod period) {
    const std::size_t octets = octets_of(period);
    if (periods_.size() >= limits_.periods || octets_ + octets > limits_.octets) return;
    if (periods_.emplace(Key{domain, period.begin}, std::move(period)).second) octets_ += octets;
}

}  // namespace postern::relay
