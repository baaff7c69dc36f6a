#include "agent/log/metrics.h"

#include <catch2/catch.hpp>

using namespace postern;
using namespace postern::agent;

namespace {

const sync::Time now = sync::Time(std::chrono::hours(24 * 20'000));

}  // namespace

TEST_CASE("events are counted and shown in the text format") {
    Metrics metrics;
    relay::event::Accepted accepted;
    accepted.size = 1000;
    accepted.recipients = 3;
    accepted.commit = std::chrono::milliseconds(3);
    metrics.count(accepted);
    relay::event::Refused refused;
    refused.rule = "accept.sender";
    metrics.count(refused);
    refused.monitored = true;
    metrics.count(refused);
    relay::event::Delivered delivered;
    delivered.delay = std::chrono::milliseconds(700);
    metrics.count(delivered);
    relay::event::Deferred deferred;
    deferred.stage = "connect";
    metrics.count(deferred);
    relay::State state;
    state.messages = 12;
    state.held = 4;
    state.oldest = now - std::chrono::hours(2);
    state.destinations.resize(2);
    state.destinations[0].trouble = "connection refused";
    sync::Report report;
    report.primaries.resize(1);
    report.primaries[0].name = "main";
    report.primaries[0].reachable = true;
    delivered.egress = "192.0.2.20";
    delivered.tls = "verify (MTA-STS of d.example): TLSv1.3, verified";
    metrics.count(delivered);
    delivered.tls = "opportunistic (delivery.tls): TLSv1.3, not verified";
    metrics.count(delivered);
    delivered.tls = "opportunistic (delivery.tls): clear text (no cipher in common, verified)";
    metrics.count(delivered);
    metrics.count(relay::event::Listed{"192.0.2.20", "mx.d.example", "", "", {}});
    metrics.count(relay::event::Rotated{});
    metrics.count(relay::event::Reported{"", "", "", "delayed", 1});
    relay::EgressView listed;
    listed.address = "192.0.2.20";
    listed.listings.resize(2);
    relay::EgressView suspended;
    suspended.address = "192.0.2.21";
    suspended.suspended = true;
    metrics.text(state, {listed, suspended}, report, {}, true, now);
    suspended.address = "192.0.2.22";  // the former one left the configuration
    const auto text = metrics.text(state, {listed, suspended}, report, {}, true, now);
    CHECK_THAT(text, !Catch::Contains("192.0.2.21"));
    const auto* line = GENERATE(
        "postern_accepted_messages_total 1\n", "postern_accepted_bytes_total 1000\n",
        "postern_accepted_recipients_total 3\n", "postern_refused_total{rule=\"accept.sender\"} 1\n",
        "postern_would_refuse_total{rule=\"accept.sender\"} 1\n",
        "postern_delivered_recipients_total{tls=\"none\"} 2\n",
        "postern_delivered_recipients_total{tls=\"verified\"} 1\n",
        "postern_delivered_recipients_total{tls=\"encrypted\"} 1\n",
        "postern_egress_delivered_recipients_total{egress=\"system\"} 1\n",
        "postern_egress_delivered_recipients_total{egress=\"192.0.2.20\"} 3\n",
        "postern_egress_listed_total{egress=\"192.0.2.20\"} 1\n", "postern_egress_rotations_total 1\n",
        "postern_reports_total{action=\"delayed\"} 1\n", "postern_egress_listings{egress=\"192.0.2.20\"} 2\n",
        "postern_egress_usable{egress=\"192.0.2.20\"} 0\n",
        "postern_egress_usable{egress=\"192.0.2.22\"} 0\n",
        "postern_deferred_recipients_total{stage=\"connect\"} 1\n", "postern_queue_messages 12\n",
        "postern_queue_held_messages 4\n", "postern_queue_oldest_seconds 720",
        "postern_troubled_destinations 1\n", "postern_primary_reachable{primary=\"main\"} 1\n",
        "postern_commit_seconds_count 1\n", "postern_commit_seconds_bucket{le=\"0.002\"} 0\n",
        "postern_commit_seconds_bucket{le=\"0.005\"} 1\n",
        "postern_delivery_delay_seconds_bucket{le=\"1\"} 4\n", "postern_ready 1\n");
    CHECK_THAT(text, Catch::Contains(line));
    CHECK(metrics.totals().accepted == 1);
    CHECK(metrics.totals().refused == 1);
}

TEST_CASE("labels stay few whatever is counted") {
    Metrics metrics;
    for (int i = 0; i < 1000; ++i) {
        const auto rule = "rule" + std::to_string(i);
        relay::event::Refused refused;
        refused.rule = rule;
        metrics.count(refused);
    }
    const auto text = metrics.text({}, {}, {}, {}, false, now);
    CHECK_THAT(text, Catch::Contains("postern_refused_total{rule=\"other\"} 936\n"));
    CHECK_THAT(text, !Catch::Contains("rule64\""));
    CHECK(metrics.totals().refused == 1000);
}
