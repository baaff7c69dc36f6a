#include "agent/status/present.h"

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

#include "agent/status/views.h"
#include "tests/unit/agent/status/fake_control.h"

using namespace postern;
using namespace postern::agent;
using nlohmann::json;

namespace {

const base::Time noon = std::chrono::sys_days(std::chrono::year(2026) / 1 / 2) + std::chrono::hours(12);

relay::MessageView waiting_message() {
    relay::MessageView message;
    message.id = "01ABC";
    message.from = "a@example.com";
    message.client = "192.0.2.10";
    message.primary = "main";
    message.size = 12'600;
    message.arrived = noon;
    message.expires = noon + std::chrono::hours(120);
    relay::RecipientView recipient;
    recipient.address = "b@dest.example";
    recipient.state = relay::RecipientState::waiting;
    recipient.route = "mx:dest.example";
    recipient.attempts = 2;
    recipient.next = noon + std::chrono::minutes(5);
    recipient.why = "mx1.dest.example[192.0.2.99]:25 said: 450 4.2.0 \x1b[31mlater";
    message.recipients.push_back(std::move(recipient));
    return message;
}

relay::GatewayView named_gateway(const char* name, bool enabled) {
    relay::GatewayView gateway;
    gateway.name = name;
    gateway.enabled = enabled;
    return gateway;
}

}  // namespace

TEST_CASE("the queue says why a message waits and when it is tried next, safely for a terminal") {
    const nlohmann::json queue{{"messages", nlohmann::json::array({view(waiting_message())})},
                               {"more", false}};
    CHECK(present_queue(queue, noon + std::chrono::minutes(1)) ==
          "ID     ARRIVED                             SIZE      SENDER\n"
          "    RECIPIENT  STATE, NEXT ATTEMPT: WHY  [ROUTE]\n"
          "01ABC  2026-01-02 12:00:00 UTC (60 s ago)  12.3 KiB  <a@example.com>\n"
          "    b@dest.example  waiting after 2 attempts, next 2026-01-02 12:05:00 UTC (in 4 min): "
          "mx1.dest.example[192.0.2.99]:25 "
          "said: 450 4.2.0 \\x1b[31mlater  [mx:dest.example]\n"
          "1 message\n");
    CHECK(present_queue({{"messages", nlohmann::json::array()}, {"more", false}}, noon) ==
          "no such message is in the queue; what has left it is in the log: journalctl -u postern\n");
}

TEST_CASE("one message in full") {
    auto message = waiting_message();
    CHECK_THAT(present_message(view(message), noon),
               Catch::Contains("client   192.0.2.10 (primary main)\n") &&
                   Catch::Contains("expires  2026-01-07 12:00:00 UTC (in 5 d)\n") &&
                   Catch::EndsWith("  [mx:dest.example]\n"));
    auto& recipient = message.recipients[0];
    recipient.state = relay::RecipientState::held;
    recipient.route = "gateway:archive";
    recipient.pinned = true;
    recipient.egress = "192.0.2.20";
    recipient.tls = "opportunistic (delivery.tls): clear text";
    CHECK_THAT(present_message(view(message), noon),
               Catch::Contains("b@dest.example  held after 2 attempts: ") &&
                   Catch::EndsWith("  [gateway:archive, by an operator]\n"
                                   "        left from  192.0.2.20\n"
                                   "        tls        opportunistic (delivery.tls): clear text\n"));
}

TEST_CASE("the state at a glance") {
    FakeControl gateway;
    gateway.who.started = noon;
    auto& state = gateway.now;
    state.messages = 1;
    state.bytes = 5u << 20;
    state.damaged = 2;
    state.held = 3;
    state.oldest = noon - std::chrono::hours(3);
    relay::DestinationView destination;
    destination.route = "mx:dest.example";
    destination.waiting = 7;
    destination.connections = 1;
    destination.trouble = "connection refused";
    destination.next_try = noon;
    state.destinations.push_back(std::move(destination));
    gateway.why_not_ready = {"the disk is full"};
    gateway.troubles = {"listed until 2026-01-02T12:00:00.000Z"};
    gateway.counted = {10, 2, 8, 1, 0};
    gateway.known.primaries.resize(1);
    auto& primary = gateway.known.primaries[0];
    primary.name = "main";
    primary.url = "https://mail.example.com";
    primary.refused_since = noon;
    CHECK(present_status(status_view(gateway.control()), noon) ==
          "postern 0.1.0 on gw1.example.net, started 2026-01-02 12:00:00 UTC (now)\n"
          "NOT READY\n"
          "  the disk is full\n"
          "DEGRADED: listed until 2026-01-02 12:00:00 UTC\n"
          "\n"
          "queue        1 message, 5.0 MiB on disk; the oldest is of 2026-01-02 09:00:00 UTC (3 h ago); 3 "
          "held; 2 damaged "
          "records set aside\n"
          "open now     0 incoming sessions, 0 outgoing connections\n"
          "since start  10 messages accepted; recipients: 8 delivered, 1 deferred, 0 bounced; 2 refused\n"
          "\n"
          "PRIMARY  URL                       READ                                                     NEXT  "
          "TROUBLE\n"
          "main     https://mail.example.com  CREDENTIALS REFUSED since 2026-01-02 12:00:00 UTC (now)\n"
          "\n"
          "DESTINATION      READY  DELIVERING  WAITING  CONNECTIONS  TROUBLE\n"
          "mx:dest.example  0      0           7        1            connection refused; next try 2026-01-02 "
          "12:00:00 UTC (now)\n");
}

TEST_CASE("which gateway polls a primary is said where another does") {
    FakeControl gateway;
    gateway.known.primaries.resize(1);
    auto& primary = gateway.known.primaries[0];
    primary.name = "main";
    primary.last_success = noon;
    CHECK_FALSE(view(primary).contains("polled_by"));
    CHECK_THAT(present_status(status_view(gateway.control()), noon), !Catch::Contains("polled by"));
    primary.polled_by = "gw2";
    CHECK(view(primary).at("polled_by") == "gw2");
    CHECK_THAT(present_status(status_view(gateway.control()), noon),
               Catch::Contains("2026-01-02 12:00:00 UTC (now); polled by gateway gw2\n"));
    primary.polled_by = "gw\x1b[2J";
    CHECK_THAT(present_status(status_view(gateway.control()), noon), !Catch::Contains("\x1b"));
}

TEST_CASE("an explanation of a refusal stops at the refusal") {
    relay::Explanation explanation;
    explanation.sender = {550, {5, 1, 8}, "sender unknown"};
    explanation.sender_why = "no such user";
    explanation.recipient = {250, {2, 1, 5}, "ok"};
    CHECK(present_explanation(view(explanation), noon) ==
          "sender     refused: 550 5.1.8 sender unknown (no such user)\nrecipient  accepted\n");
}

TEST_CASE("an explanation of a way") {
    relay::Explanation explanation;
    explanation.sender = explanation.recipient = {250, {}, "ok"};
    explanation.route = "mx:dest.example";
    explanation.route_why = "no route names the sender";
    explanation.hosts = {"mx1.dest.example[192.0.2.1]:25", "mx2.dest.example[192.0.2.2]:25"};
    explanation.tls = "opportunistic (delivery.tls)";
    explanation.egress = "192.0.2.20 as gw1.example.net (leads)";
    explanation.limits = "20 connections";
    CHECK_THAT(present_explanation(view(explanation), noon),
               Catch::EndsWith("route      mx:dest.example (no route names the sender)\n"
                               "next hops  mx1.dest.example[192.0.2.1]:25\n"
                               "           mx2.dest.example[192.0.2.2]:25\n"
                               "tls        opportunistic (delivery.tls)\n"
                               "leaves by  192.0.2.20 as gw1.example.net (leads)\n"
                               "limits     20 connections\n"));
    explanation.trouble = "connection refused";
    explanation.next_try = noon + std::chrono::minutes(3);
    CHECK_THAT(
        present_explanation(view(explanation), noon),
        Catch::EndsWith("just now   it cannot be delivered there: connection refused; next try 2026-01-02 "
                        "12:03:00 UTC (in 3 min)\n"));
}

TEST_CASE("what waits, counted") {
    relay::QueueSummary summary;
    CHECK(present_summary(view(summary), noon) == "no such message is in the queue\n");
    summary.messages = 3;
    summary.recipients = 4;
    summary.held = 1;
    summary.bytes = 2048;
    summary.oldest = noon;
    summary.destinations = {{"mx:dest.example", 2, {1, 0, 0, 0, 0, 0, 0, 1}}, {"gateway:archive", 1, {1}}};
    summary.senders = {{"a@example.com", 3, 2048}};
    summary.reasons = {{"450 4.2.0 \x1b later", 4}};
    summary.more_senders = 7;
    CHECK(present_summary(view(summary), noon + std::chrono::hours(3)) ==
          "3 messages, 4 recipients, 2.0 KiB; the oldest is of 2026-01-02 12:00:00 UTC (3 h ago); 1 "
          "recipient held\n"
          "\n"
          "DESTINATION      MESSAGES  <5m  <15m  <1h  <4h  <12h  <1d  <3d  older\n"
          "mx:dest.example  2         1    .     .    .    .     .    .    1\n"
          "gateway:archive  1         1    .     .    .    .     .    .    .\n"
          "\n"
          "MESSAGES  SIZE     SENDER\n"
          "3         2.0 KiB  <a@example.com>\n"
          "and 7 more senders: raise --limit\n"
          "\n"
          "RECIPIENTS  WHY\n"
          "4           450 4.2.0 \\x1b later\n");
}

TEST_CASE("gateways say what is wrong with them and what the operator changed") {
    CHECK(present_gateways({{"gateways", nlohmann::json::array()}}, noon) ==
          "there is no [[gateway]] in the configuration file\n");
    OutgoingRoutes outgoing;
    auto gateway = named_gateway("archive", false);
    gateway.address = "smtp.archive.example:587";
    gateway.tls = "verify";
    gateway.type = "specified";
    gateway.waiting = 7;
    gateway.trouble = "connection refused";
    gateway.next_try = noon;
    outgoing.gateways = {gateway};
    outgoing.overrides.gateways = {{"archive", false}, {"old", true}};
    CHECK(present_gateways({{"gateways", gateways_view(outgoing)}}, noon) ==
          "GATEWAY  ADDRESS                   TLS     TYPE       STATUS                        CONNECTIONS  "
          "WAITING  TROUBLE\n"
          "archive  smtp.archive.example:587  verify  specified  disabled (set while running)  0            "
          "7   "
          "     connection refused; next try 2026-01-02 12:00:00 UTC (now)\n"
          "old                                                   enabled (set while running)   0            "
          "0   "
          "     no such gateway in the configuration file\n");
}

TEST_CASE("routes say where they come from and why they are not in force") {
    OutgoingRoutes outgoing;
    outgoing.gateways = {named_gateway("archive", true), named_gateway("idle", false)};
    outgoing.routes = {{"a.example", "", "archive", true}, {"", "b.example", "idle", true}};
    outgoing.overrides.routes = {{"a.example", "", "gone", false}, {"*", "", "archive", false}};
    CHECK(present_routes({{"routes", routes_view(outgoing)}}) ==
          "SENDER     RECIPIENT  GATEWAY  SET            NOT IN FORCE\n"
          "a.example  *          archive  in the file    another was set while running\n"
          "*          b.example  idle     in the file    the gateway is disabled\n"
          "a.example  *          gone     while running  no such gateway in the configuration file\n"
          "*          *          archive  while running\n");
}

TEST_CASE("egress addresses say where they are listed, since when and why, and what they may send") {
    OutgoingRoutes outgoing;
    outgoing.egress.resize(4);
    outgoing.egress[0].address = "192.0.2.20";
    outgoing.egress[0].hostname = "gw1.example.net";
    outgoing.egress[0].sent_today = 12;
    outgoing.egress[0].listings = {
        {"mx.d.example", "reply spamhaus", "5.7.1 \x1b blocked", noon, noon + std::chrono::hours(6), false},
        {"", "blocklist zen.example", "", noon, noon, true}};
    outgoing.egress[1].address = "192.0.2.21";
    outgoing.egress[1].suspended = true;
    outgoing.egress[1].allowance = 100;
    outgoing.egress[1].warm_up_day = 2;
    outgoing.egress[2].address = "192.0.2.22";
    outgoing.egress[2].listings = {{"@d.example", "reply here", "", noon, noon, true}};
    outgoing.egress[3].address = "192.0.2.23";
    outgoing.egress[3].listings = {{"@d.example", "reply here", "", noon, noon, false},
                                   {"", "blocklist zen.example", "", noon, noon, false}};
    CHECK(
        present_egress({{"egress", egress_view(outgoing)}}, noon) ==
        "ADDRESS     EHLO             STATUS             TODAY  ALLOWED  NOTE\n"
        "192.0.2.20  gw1.example.net  refused somewhere  12     any\n"
        "192.0.2.21                   suspended          0      100      warm-up, day 2\n"
        "192.0.2.22                   on probation       0      any\n"
        "192.0.2.23                   listed everywhere  0      any\n"
        "\n"
        "192.0.2.20\n"
        "    refused by mx.d.example since 2026-01-02 12:00:00 UTC (now), until 2026-01-02 18:00:00 UTC (in "
        "6 h): reply spamhaus: "
        "5.7.1 \\x1b blocked\n"
        "    listed everywhere since 2026-01-02 12:00:00 UTC (now), being tried again with little mail: "
        "blocklist "
        "zen.example\n"
        "192.0.2.22\n"
        "    refused for mail to d.example since 2026-01-02 12:00:00 UTC (now), being tried again with "
        "little "
        "mail: reply here\n"
        "192.0.2.23\n"
        "    refused for mail to d.example since 2026-01-02 12:00:00 UTC (now), until 2026-01-02 12:00:00 "
        "UTC "
        "(now): reply here\n"
        "    listed everywhere since 2026-01-02 12:00:00 UTC (now), until 2026-01-02 12:00:00 UTC (now): "
        "blocklist zen.example\n");
}

TEST_CASE("sizes for people") {
    CHECK(readable_size(0) == "0 B");
    CHECK(readable_size(1023) == "1023 B");
    CHECK(readable_size(12'600) == "12.3 KiB");
    CHECK(readable_size(3ull << 40) == "3.0 TiB");
}

TEST_CASE("the status stays a glance with many destinations") {
    json list = json::array();
    for (int i = 0; i < 40; ++i)
        list.push_back({{"route", "mx:d" + std::to_string(i) + ".example"},
                        {"ready", 0},
                        {"delivering", 0},
                        {"waiting", i},
                        {"connections", 0},
                        {"trouble", ""},
                        {"next_try", nullptr}});
    list.push_back({{"route", "held"},
                    {"ready", 0},
                    {"delivering", 0},
                    {"waiting", 99},
                    {"connections", 0},
                    {"trouble", ""},
                    {"next_try", nullptr}});
    list[2]["trouble"] = "refused";
    const auto text = present_status(
        {{"version", "1"},
         {"hostname", "gw1"},
         {"started", nullptr},
         {"ready", true},
         {"not_ready", json::array()},
         {"degraded", json::array()},
         {"queue", {{"messages", 1}, {"held", 0}, {"oldest", nullptr}, {"disk_bytes", 1}, {"damaged", 0}}},
         {"sessions", 0},
         {"connections", 0},
         {"since_start",
          {{"accepted", 1}, {"refused", 0}, {"delivered", 0}, {"deferred", 0}, {"bounced", 0}}},
         {"destinations", list},
         {"primaries", json::array()}},
        noon);
    CHECK_THAT(text, Catch::Contains("1 message accepted"));
    CHECK_THAT(text, Catch::Contains("mx:d39.example") && Catch::Contains("mx:d26.example"));
    CHECK_THAT(text, !Catch::Contains("mx:d25.example") && !Catch::Contains("mx:d0.example"));
    CHECK_THAT(text, !Catch::Contains("\nheld"));
    CHECK_THAT(text, Catch::Contains("and 24 more destinations, 323 waiting there"));
    CHECK(text.find("mx:d39.example") < text.find("mx:d38.example"));
    CHECK(text.find("mx:d2.example") < text.find("mx:d39.example"));
}
