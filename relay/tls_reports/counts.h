// Sessions by domain and day: what is counted until it is reported, and what has become of the report.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "relay/mail/message.h"
#include "relay/tls_reports/session.h"

namespace postern::relay {

/// Failures that are alike.
struct TlsFailures {
    TlsResult result = TlsResult::validation_failure;
    std::string sending, host, helo, receiving, reason;
    std::uint64_t sessions = 0;

    bool alike(const TlsFailures& other) const;
};

/// By one policy.
struct PolicySessions {
    ReportedPolicy policy;
    std::uint64_t successful = 0, failed = 0;
    std::vector<TlsFailures> failures;
    std::uint64_t untold = 0;  // of `failed`, those that `failures` has no room for
};

/// Of one domain, from `begin` until `end`, which is midnight (UTC) unless its report was wanted earlier.
struct TlsPeriod {
    enum class State : std::uint8_t {
        open,     // is counted, or waits for its time
        sent,     // at least one reader has it
        unasked,  // the domain asks for none
        given_up,
    };
    Time begin{}, end{};
    std::vector<PolicySessions> policies;
    State state = State::open;
    Time due{};             // of an ended one: sent then
    unsigned attempts = 0;  // that nobody took it at
    std::string trouble;    // of the last one, in words

    std::uint64_t successful() const;
    std::uint64_t failed() const;
};

struct TlsCountsLimits {
    std::size_t periods = 30'000;
    std::size_t policies = 40, failures = 50;  // of a period, and of a policy
    std::size_t lines = 100;                   // of a policy
    std::size_t text = 300;                    // octets of each that comes from others
    std::size_t octets_of_one = 96u << 10;     // of all these of a period
    std::size_t octets = 32u << 20;            // of all periods
};

/// Bounded: what there is no room for is left out, and counted. Used by one thread. Times are of the wall.
class TlsCounts {
public:
    using Key = std::pair<std::string, Time>;  // domain, begin
    using Periods = std::map<Key, TlsPeriod>;

    explicit TlsCounts(TlsCountsLimits limits = {}) : limits_(limits) {}

    void add(const std::string& domain, const JudgedSession& judged, const TlsSession& session, Time now);
    /// Ends what is counted of a domain, so that its report is due at once; false when nothing is.
    bool end_early(const std::string& domain, Time now);
    /// Ended, open and due, the longest due first; at most `most`.
    std::vector<Key> due(Time now, std::size_t most) const;
    const TlsPeriod* find(const Key& key) const;
    /// Nobody took the report.
    void put_off(const Key& key, Time until, const std::string& why);
    /// Nothing remains to be done. It is still known until its day is over, so that what is counted of that
    /// day begins where it ended.
    void settle(const Key& key, TlsPeriod::State state, const std::string& why, Time now);
    /// Forgets what is settled and of another day, and what is so old that nobody wants to know it: reports
    /// were switched off, or the gateway.
    void forget(Time now);

    const Periods& periods() const { return periods_; }
    std::uint64_t left_out() const { return left_out_; }  // sessions, since the start
    /// As it was kept; what is beyond the bounds is not taken.
    void restore(const std::string& domain, TlsPeriod period);

private:
    TlsPeriod* period_for(const std::string& domain, Time now);
    PolicySessions* sessions_for(TlsPeriod& period, const ReportedPolicy& policy);
    bool has_room(const TlsPeriod& period, std::size_t octets) const;
    void erase(Periods::iterator at);

    const TlsCountsLimits limits_;
    Periods periods_;
    std::size_t octets_ = 0;
    std::uint64_t left_out_ = 0;
};

/// The midnight (UTC) in front of a time, and the one behind it.
Time day_begin(Time time);
Time day_end(Time time);
/// When the report on a period that ended by itself goes: from ten minutes to four hours behind its end, at
/// another time for each domain, so that who reads those of many does not get them at once (RFC 8460 §4.1).
Time report_time(const std::string& domain, Time end);

}  // namespace postern::relay
