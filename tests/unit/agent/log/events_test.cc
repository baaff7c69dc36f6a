#include "agent/log/events.h"

#include <unistd.h>

#include <algorithm>
#include <catch2/catch.hpp>
#include <cstdio>
#include <nlohmann/json.hpp>
#include <string>
#include <thread>
#include <vector>

#include "tests/unit/stepped_clock.h"

using namespace postern;
using namespace postern::agent;

namespace {

const tests::SteppedClock stopped;

/// Standard error goes into a file while this lives.
class CapturedError {
public:
    CapturedError() : file_(std::tmpfile()), before_(dup(STDERR_FILENO)) {
        dup2(fileno(file_), STDERR_FILENO);
    }
    ~CapturedError() {
        restore();
        std::fclose(file_);
    }
    std::string text() {
        restore();
        std::string text;
        std::rewind(file_);
        for (int c = 0; (c = std::fgetc(file_)) != EOF;) text += static_cast<char>(c);
        return text;
    }

private:
    void restore() {
        if (before_ < 0) return;
        dup2(before_, STDERR_FILENO);
        close(before_);
        before_ = -1;
    }
    std::FILE* file_;
    int before_;
};

/// What the log says of the event, without the time in front.
template <class Event>
std::string logged(const Event& event, LogSettings settings = {}) {
    CapturedError captured;
    {
        Log log(settings, stopped);
        Metrics metrics;
        Events(log, metrics, stopped).on(event);
    }
    const auto text = captured.text();
    return text.starts_with("20") ? text.substr(text.find(' ') + 1) : text;
}

}  // namespace

TEST_CASE("a message's way is told with its id") {
    CHECK(logged(relay::event::Accepted{"01ABC", "a@example.com", 2, 1000, "192.0.2.10", "mail.example.com",
                                        "main", "TLSv1.3", "<1@a\nb>", std::chrono::microseconds(2500)}) ==
          "accepted id=01ABC from=a@example.com recipients=2 message_id=\"<1@a\\nb>\" size=1000 "
          "client=192.0.2.10 helo=mail.example.com "
          "primary=main tls=TLSv1.3 commit=0.003\n");
    relay::event::Delivered delivered;
    delivered.id = "01ABC";
    delivered.recipient = "b@dest.example";
    delivered.route = "mx:dest.example";
    delivered.host = "mx.dest.example[192.0.2.1]:25";
    delivered.egress = "192.0.2.20";
    delivered.tls = "dane (DANE): TLSv1.3, verified";
    delivered.reply = {250, {2, 0, 0}, "queued"};
    delivered.delay = std::chrono::milliseconds(12);
    CHECK(logged(delivered) ==
          "delivered id=01ABC from=\"\" to=b@dest.example route=mx:dest.example "
          "host=mx.dest.example[192.0.2.1]:25 egress=192.0.2.20 tls=\"dane (DANE): TLSv1.3, verified\" "
          "reply=\"250 2.0.0 queued\" delay=0.012\n");
    CHECK(logged(relay::event::Removed{"01ABC", "a@example.com", "b@x.example, c@x.example", 3}) ==
          "removed id=01ABC from=a@example.com to=\"b@x.example, c@x.example\" recipients=3\n");
}

TEST_CASE("a refusal names rule, verdict and the directory's age; monitoring is told apart") {
    relay::event::Refused event{
        "192.0.2.10",    "mail",         "x@example.com",         "", {550, {5, 1, 8}, "sender unknown"},
        "accept.sender", "no such user", std::chrono::seconds(90)};
    event.stage = "mail";
    const std::string fields =
        " client=192.0.2.10 helo=mail from=x@example.com stage=mail reply=\"550 5.1.8 sender unknown\" "
        "rule=accept.sender "
        "reason=\"no such user\" directory_age=90.000\n";
    CHECK(logged(event) == "refused" + fields);
    event.monitored = true;
    CHECK(logged(event) == "would-refuse" + fields);
}

TEST_CASE("a deferral names reply or error, and the next attempt") {
    relay::event::Deferred event;
    event.id = "01ABC";
    event.from = "a@b.example";
    event.recipient = "c@d.example";
    event.route = "mx:d.example";
    event.stage = "connect";
    event.reason = "connection refused";
    event.next = std::chrono::system_clock::time_point(std::chrono::seconds(1767355200));
    event.attempts = 2;
    CHECK(logged(event) ==
          "deferred id=01ABC from=a@b.example to=c@d.example route=mx:d.example stage=connect "
          "reason=\"connection "
          "refused\" attempts=2 next=2026-01-02T12:00:00.000Z\n");
}

TEST_CASE("reports, holds and what befalls an egress address are told") {
    const auto noon = std::chrono::system_clock::time_point(std::chrono::seconds(1767355200));
    CHECK(logged(relay::event::Reported{"01ABC", "a@b.example", "01DEF", "delayed", 2}) ==
          "reported id=01ABC from=a@b.example action=delayed recipients=2 report=01DEF\n");
    CHECK(logged(relay::event::Held{"01ABC", "a@b.example", "c@x.example", 2, false}) ==
          "held id=01ABC from=a@b.example to=c@x.example recipients=2\n");
    CHECK(logged(relay::event::Held{"01ABC", "a@b.example", "c@x.example", 2, true}) ==
          "released id=01ABC from=a@b.example to=c@x.example recipients=2\n");
    CHECK(logged(
              relay::event::Listed{"192.0.2.20", "mx.d.example", "reply spamhaus", "blocked\nusing", noon}) ==
          "level=warning listed egress=192.0.2.20 site=mx.d.example by=\"reply spamhaus\" "
          "text=\"blocked\\nusing\" until=2026-01-02T12:00:00.000Z\n");
    CHECK(logged(relay::event::Listed{"192.0.2.20", "", "blocklist zen.example", "", noon}) ==
          "level=warning listed egress=192.0.2.20 site=everywhere by=\"blocklist zen.example\" "
          "until=2026-01-02T12:00:00.000Z\n");
    CHECK(logged(relay::event::Unlisted{"192.0.2.20", "", "expired"}) ==
          "unlisted egress=192.0.2.20 site=everywhere why=expired\n");
    CHECK(logged(relay::event::Rotated{"mx.d.example", "192.0.2.20", "192.0.2.21", "listed"}) ==
          "level=warning rotated site=mx.d.example from=192.0.2.20 to=192.0.2.21 why=listed\n");
    CHECK(logged(relay::event::Rotated{"mx.d.example", "192.0.2.20", "", "all are listed"}) ==
          "level=error rotated site=mx.d.example from=192.0.2.20 to=none why=\"all are listed\"\n");
}

TEST_CASE("what the network says cannot begin a line of its own") {
    relay::event::Bounced event;
    event.id = "01ABC";
    event.from = "a@b.example";
    event.recipient = "c@d.example\naccepted id=forged";
    event.route = "mx:d.example";
    event.reply = {550, {}, "no\nreally \x1b[2J"};
    const auto text = logged(event);
    CHECK(std::count(text.begin(), text.end(), '\n') == 1);
    CHECK(text.find('\x1b') == std::string::npos);
    const auto json = nlohmann::json::parse(logged(event, {LogFormat::json, LogLevel::info}));
    CHECK(json["event"] == "bounced");
    CHECK(json["to"] == "c@d.example\naccepted id=forged");
}

TEST_CASE("what another gateway has read and is not taken over") {
    CHECK_THAT(logged(sync::event::NotAdopted{"main", "it was never read"}),
               Catch::EndsWith("level=warning not-adopted primary=main reason=\"it was never read\"\n"));
    CHECK_THAT(logged(sync::event::NotAdopted{"", "it is cut short"}),
               Catch::EndsWith("not-adopted reason=\"it is cut short\"\n"));
}

TEST_CASE("levels leave out what is less important") {
    const LogSettings errors{LogFormat::text, LogLevel::error};
    CHECK(logged(relay::event::Removed{"01ABC", "a@b", "", 1}, errors).empty());
    CHECK(logged(relay::event::Trouble{relay::event::Area::dns, "slow"}, errors).empty());
    CHECK(logged(relay::event::Trouble{relay::event::Area::spool, "sync failed", true}, errors) ==
          "level=error trouble where=spool text=\"sync failed\"\n");
    CHECK(logged(relay::event::SessionClosed{"192.0.2.1", 5, 1}).empty());
}

TEST_CASE("lines of several threads do not mix") {
    CapturedError captured;
    {
        Log log({}, stopped);
        Metrics metrics;
        Events events(log, metrics, stopped);
        std::vector<std::thread> threads;
        for (int i = 0; i < 4; ++i)
            threads.emplace_back([&events, i] {
                const std::string id(200, static_cast<char>('a' + i));
                for (int n = 0; n < 200; ++n) events.on(relay::event::Removed{id, "x@y.example", "", 1});
            });
        for (auto& thread : threads) thread.join();
    }
    const auto text = captured.text();
    std::size_t lines = 0;
    for (std::size_t begin = 0; begin < text.size(); ++lines) {
        const auto end = text.find('\n', begin);
        const auto line = text.substr(begin, end - begin);
        const auto id = line.substr(line.find("id=") + 3, 200);
        CHECK(id == std::string(200, id[0]));
        CHECK(line.ends_with(" from=x@y.example recipients=1"));
        begin = end + 1;
    }
    CHECK(lines == 800);
}

TEST_CASE("what gateway mode is asked is told by name, seldom, and never more of it than fits a line") {
    using Outcome = GatewayModeOutcome;
    CHECK(logged(GatewayModeEvent{"192.0.2.10", "svcuseradmin.GetUsers", Outcome::not_served}) ==
          "gateway-mode client=192.0.2.10 operation=svcuseradmin.GetUsers outcome=not-served\n");
    CHECK(logged(GatewayModeEvent{"192.0.2.10", "GET /x\r\naccepted", Outcome::not_served}) ==
          "gateway-mode client=192.0.2.10 operation=\"GET /x\\r\\naccepted\" outcome=not-served\n");
    CHECK(logged(GatewayModeEvent{"192.0.2.10", std::string(5000, 'a'), Outcome::malformed}).size() < 250);
    CHECK(logged(GatewayModeEvent{"192.0.2.10", "GetSpoolMessageCount", Outcome::served}).empty());

    CapturedError captured;
    {
        Log log({}, stopped);
        Metrics metrics;
        Events events(log, metrics, stopped);
        for (int i = 0; i < 1000; ++i) {
            const std::string client = "198.51.100." + std::to_string(i);
            events.on(GatewayModeEvent{client, "connect", Outcome::stranger});
            events.on(GatewayModeEvent{"192.0.2.10", "GET /y", Outcome::not_served});
        }
    }
    const auto text = captured.text();
    CHECK(std::count(text.begin(), text.end(), '\n') == 2);
}
