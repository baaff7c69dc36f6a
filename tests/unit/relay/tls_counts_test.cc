#include "relay/tls_reports/counts.h"

#include <catch2/catch.hpp>
#include <set>

#include "relay/tls_reports/counts_state.h"

using namespace postern::relay;
using namespace std::chrono_literals;

namespace {

const Time noon = std::chrono::sys_days(std::chrono::year(2026) / 11 / 27) + 12h;

JudgedSession judged(TlsResult result = TlsResult::success, const std::string& policy = "dest.example") {
    JudgedSession out;
    out.policy.kind = ReportedPolicy::Kind::sts;
    out.policy.domain = policy;
    out.policy.lines = {"version: STSv1", "mode: enforce"};
    out.policy.hosts = {"*.dest.example"};
    out.result = result;
    out.reason = result == TlsResult::success ? "" : "why, and \"how\" \n \xff";
    return out;
}

TlsSession session(const std::string& host = "mx1.dest.example") {
    TlsSession out;
    out.host = host;
    out.receiving = "192.0.2.20";
    out.sending = "192.0.2.1";
    return out;
}

std::string written(const TlsCounts& counts) {
    std::string out(counts_state_head());
    for (const auto& [key, period] : counts.periods()) write_period(out, key, period);
    return out;
}

}  // namespace

TEST_CASE("sessions are counted by domain, day, policy and failure", "[tls_reports]") {
    TlsCounts counts;
    counts.add("dest.example", judged(), session(), noon);
    counts.add("dest.example", judged(), session(), noon);
    counts.add("dest.example", judged(TlsResult::certificate_expired), session(), noon + 1h);
    counts.add("dest.example", judged(TlsResult::certificate_expired), session(), noon + 2h);
    counts.add("dest.example", judged(TlsResult::certificate_expired), session("mx2.dest.example"),
               noon + 2h);
    counts.add("dest.example", judged(TlsResult::success, "mx"), session(), noon);
    counts.add("dest.example", judged(), session(), noon + 12h);  // midnight: the next day
    counts.add("other.example", judged(), session(), noon);
    REQUIRE(counts.periods().size() == 3);
    const TlsPeriod* day = counts.find({"dest.example", noon - 12h});
    REQUIRE(day != nullptr);
    CHECK(day->end == noon + 12h);
    CHECK(day->successful() == 3);
    CHECK(day->failed() == 3);
    REQUIRE(day->policies.size() == 2);
    REQUIRE(day->policies[0].failures.size() == 2);
    CHECK(day->policies[0].failures[0].sessions == 2);
    CHECK(counts.left_out() == 0);
}

TEST_CASE("a day's report is due some hours behind its end, at a time of the domain's own", "[tls_reports]") {
    TlsCounts counts;
    std::set<Time> times;
    for (int n = 0; n < 100; ++n) {
        counts.add("d" + std::to_string(n) + ".example", judged(), session(), noon);
        times.insert(report_time("d" + std::to_string(n) + ".example", noon + 12h));
    }
    CHECK(times.size() > 90);
    CHECK(*times.begin() >= noon + 12h + 10min);
    CHECK(*times.rbegin() < noon + 16h);
    CHECK(counts.due(noon + 12h, 1000).empty());
    CHECK(counts.due(noon + 14h, 1000).size() > 20);
    CHECK(counts.due(noon + 16h, 1000).size() == 100);
    CHECK(counts.due(noon + 16h, 8).size() == 8);
}

TEST_CASE("what becomes of a report", "[tls_reports]") {
    TlsCounts counts;
    const TlsCounts::Key key{"dest.example", noon - 12h};
    counts.add("dest.example", judged(), session(), noon);
    counts.put_off(key, noon + 20h, "nobody answers");
    CHECK(counts.due(noon + 19h, 10).empty());
    REQUIRE(counts.due(noon + 20h, 10).size() == 1);
    CHECK(counts.find(key)->attempts == 1);
    counts.settle(key, TlsPeriod::State::sent, "", noon + 20h);
    CHECK(counts.periods().empty());
}

TEST_CASE("what is counted behind a report that was wanted early is reported later, once", "[tls_reports]") {
    TlsCounts counts;
    CHECK_FALSE(counts.end_early("dest.example", noon));
    counts.add("dest.example", judged(), session(), noon);
    CHECK(counts.end_early("dest.example", noon + 1h));
    const auto due = counts.due(noon + 1h, 10);
    REQUIRE(due.size() == 1);
    counts.settle(due.front(), TlsPeriod::State::sent, "", noon + 1h);
    counts.add("dest.example", judged(), session(), noon + 2h);
    REQUIRE(counts.periods().size() == 2);
    const TlsPeriod* rest = counts.find({"dest.example", noon + 1h});
    REQUIRE(rest != nullptr);
    CHECK(rest->successful() == 1);
    CHECK(rest->end == noon + 12h);
    counts.forget(noon + 11h);
    CHECK(counts.periods().size() == 2);
    counts.forget(noon + 12h);
    CHECK(counts.periods().size() == 1);
}

TEST_CASE("strangers cannot make the counts grow without bound", "[tls_reports]") {
    TlsCountsLimits limits;
    limits.periods = 10;
    limits.policies = 2;
    limits.failures = 3;
    limits.octets = 50'000;
    TlsCounts counts(limits);
    for (int n = 0; n < 20; ++n) counts.add("d" + std::to_string(n) + ".example", judged(), session(), noon);
    CHECK(counts.periods().size() == 10);
    CHECK(counts.left_out() == 10);
    for (int n = 0; n < 20; ++n)
        counts.add("d0.example", judged(TlsResult::validation_failure), session("mx" + std::to_string(n)),
                   noon);
    const auto& policy = counts.find({"d0.example", noon - 12h})->policies.front();
    CHECK(policy.failed == 20);
    CHECK(policy.failures.size() == 3);
    CHECK(policy.untold == 17);
    auto large = judged();
    for (int n = 0; n < 1000; ++n) large.policy.lines.push_back(std::string(1000, 'x'));
    counts.add("d1.example", large, session(), noon);
    CHECK(written(counts).size() < 100'000);
}

TEST_CASE("what was counted is the same after a restart", "[tls_reports]") {
    TlsCounts counts;
    counts.add("dest.example", judged(), session(), noon);
    counts.add("dest.example", judged(TlsResult::dnssec_invalid), session(), noon);
    counts.add("other.example", judged(TlsResult::tlsa_invalid), session(), noon);
    counts.put_off({"other.example", noon - 12h}, noon + 20h, "nobody\nanswers");
    counts.end_early("dest.example", noon + 1h);
    counts.settle({"dest.example", noon - 12h}, TlsPeriod::State::sent, "", noon + 1h);
    counts.add("dest.example", judged(), session(), noon + 2h);
    TlsCounts again;
    REQUIRE(read_counts_state(written(counts), again));
    CHECK(written(again) == written(counts));
    CHECK(again.periods().size() == 3);
}

TEST_CASE("of a damaged file what is whole is taken", "[tls_reports]") {
    TlsCounts counts;
    counts.add("a.example", judged(), session(), noon);
    counts.add("b.example", judged(TlsResult::dnssec_invalid), session(), noon);
    const std::string text = written(counts);
    TlsCounts none;
    CHECK_FALSE(read_counts_state("something else\n", none));
    for (std::size_t at = 0; at < text.size(); ++at) {
        std::string damaged = text;
        damaged[at] = '~';
        TlsCounts again;
        read_counts_state(damaged, again);
        CHECK(again.periods().size() <= 2);
        TlsCounts cut;
        read_counts_state(std::string_view(text).substr(0, at), cut);
        CHECK(cut.periods().size() <= 2);
    }
}
