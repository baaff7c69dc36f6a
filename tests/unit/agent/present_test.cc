#include "agent/present.h"

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

#include "agent/views.h"

using namespace postern;
using namespace postern::agent;

namespace {

const auto noon =
    std::chrono::system_clock::time_point(std::chrono::seconds(1767355200));  // 2026-01-02 12:00:00Z

relay::MessageView waiting_message() {
    relay::MessageView message;
    message.id = "01ABC";
    message.from = "a@example.com";
    message.client = "192.0.2.10";
    message.primary = "main";
    message.size = 12'600;
    message.arrived = noon;
    message.expires = noon + std::chrono::hours(120);
    message.recipients.push_back({"b@dest.example", "waiting", "mx:dest.example", 2,
                                  noon + std::chrono::minutes(5),
                                  "mx1.dest.example[192.0.2.99]:25 said: 450 4.2.0 \x1b[31mlater"});
    return message;
}

}  // namespace

TEST_CASE("the queue says why a message waits and when it is tried next, safely for a terminal") {
    const nlohmann::json queue{{"messages", nlohmann::json::array({view(waiting_message())})},
                               {"more", false}};
    CHECK(present_queue(queue) ==
          "01ABC  2026-01-02 12:00:00Z  12.3 KiB  from <a@example.com>\n"
          "    b@dest.example  waiting after 2 attempts, next 2026-01-02 12:05:00Z: "
          "mx1.dest.example[192.0.2.99]:25 "
          "said: 450 4.2.0 \\x1b[31mlater  [mx:dest.example]\n"
          "1 message\n");
    CHECK(present_queue({{"messages", nlohmann::json::array()}, {"more", false}}) ==
          "no such message is in the queue\n");
}

TEST_CASE("one message in full") {
    CHECK_THAT(present_message(view(waiting_message())),
               Catch::Contains("client   192.0.2.10 (primary main)\n") &&
                   Catch::Contains("expires  2026-01-07 12:00:00Z\n"));
}

TEST_CASE("the state at a glance") {
    Operations operations;
    operations.identity = {"0.1.0", "gw1.example.net", noon};
    operations.state = [] {
        relay::State state;
        state.messages = 1;
        state.bytes = 5u << 20;
        state.damaged = 2;
        state.destinations.push_back({"mx:dest.example", 0, 0, 7, 1, "connection refused", noon});
        return state;
    };
    operations.not_ready = [] { return std::vector<std::string>{"the disk is full"}; };
    operations.totals = [] { return Metrics::Totals{10, 2, 8, 1, 0}; };
    operations.directory = [] {
        sync::Report report;
        report.primaries.resize(1);
        report.primaries[0].name = "main";
        report.primaries[0].url = "https://mail.example.com";
        report.primaries[0].refused_since = noon;
        return report;
    };
    CHECK(present_status(status_view(operations)) ==
          "postern 0.1.0 on gw1.example.net, started 2026-01-02 12:00:00Z\n"
          "NOT READY\n"
          "  the disk is full\n"
          "\n"
          "queue        1 message, 5.0 MiB on disk, 2 damaged records set aside\n"
          "open now     0 incoming sessions, 0 outgoing connections\n"
          "since start  10 messages accepted; recipients: 8 delivered, 1 deferred, 0 bounced; 2 refused\n"
          "\n"
          "PRIMARY  URL                       READ                                            NEXT  TROUBLE\n"
          "main     https://mail.example.com  CREDENTIALS REFUSED since 2026-01-02 12:00:00Z\n"
          "\n"
          "DESTINATION      READY  DELIVERING  WAITING  CONNECTIONS  TROUBLE\n"
          "mx:dest.example  0      0           7        1            connection refused; next try 2026-01-02 "
          "12:00:00Z\n");
}

TEST_CASE("an explanation of a refusal stops at the refusal") {
    relay::Explanation explanation;
    explanation.sender = {550, {5, 1, 8}, "sender unknown"};
    explanation.sender_why = "no such user";
    explanation.recipient = {250, {2, 1, 5}, "ok"};
    CHECK(present_explanation(view(explanation)) ==
          "sender     refused: 550 5.1.8 sender unknown (no such user)\nrecipient  accepted\n");
}

TEST_CASE("an explanation of a way") {
    relay::Explanation explanation;
    explanation.sender = explanation.recipient = {250, {}, "ok"};
    explanation.route = "mx:dest.example";
    explanation.route_why = "no route names the sender";
    explanation.hosts = {"mx1.dest.example[192.0.2.1]:25", "mx2.dest.example[192.0.2.2]:25"};
    explanation.tls = "opportunistic";
    CHECK_THAT(present_explanation(view(explanation)),
               Catch::EndsWith("route      mx:dest.example (no route names the sender)\n"
                               "next hops  mx1.dest.example[192.0.2.1]:25\n"
                               "           mx2.dest.example[192.0.2.2]:25\n"
                               "tls        opportunistic\n"));
}

TEST_CASE("sizes for people") {
    CHECK(readable_size(0) == "0 B");
    CHECK(readable_size(1023) == "1023 B");
    CHECK(readable_size(12'600) == "12.3 KiB");
    CHECK(readable_size(3ull << 40) == "3.0 TiB");
}
