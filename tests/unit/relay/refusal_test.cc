#include "relay/reception/refusal.h"

#include <catch2/catch.hpp>
#include <fstream>
#include <iterator>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "relay/reception/allowance.h"
#include "relay/reception/places.h"
#include "relay/reception/refusal_events.h"

using namespace postern::relay;
using namespace std::chrono_literals;

namespace {

struct Heard : Observer {
    struct One {
        std::string rule, client;
        std::uint64_t times;
    };
    std::vector<One> all;
    void on(const event::Refused& event) override {
        all.push_back({std::string(event.rule), std::string(event.client), event.times});
    }
    std::uint64_t times() const {
        std::uint64_t sum = 0;
        for (const auto& one : all) sum += one.times;
        return sum;
    }
};

event::Refused refused(const char* client) {
    event::Refused out;
    out.client = client;
    out.rule = "primary.addresses";
    return out;
}

}  // namespace

TEST_CASE("each rule makes a reply that refuses, and README tells it", "[refusal]") {
    std::ifstream file(std::string(POSTERN_ROOT) + "/README.md");
    const std::string readme{std::istreambuf_iterator<char>(file), {}};
    std::set<std::string_view> situations;
    for (const RuleText& text : rules()) {
        const Decision decision = refuse(text.rule);
        const std::string line = "| " + std::string(text.when) + " | " + std::to_string(text.code) + ' ' +
                                 text.status.text() + " | `" + std::string(text.name) + "` |\n";
        CAPTURE(line);
        CHECK(readme.find(line) != std::string::npos);
        CHECK(decision.rule == text.rule);
        CHECK_FALSE(decision.reply.positive());
        CHECK(decision.reply.status.category == decision.reply.code / 100);
        CHECK_FALSE(decision.reply.text.empty());
        CHECK(situations.insert(text.when).second);
        CHECK(refuse(text.rule, "in other words").reply.text == "in other words");
    }
}

TEST_CASE("a primary's refusals are all told, a stranger's are counted", "[refusal]") {
    Heard heard;
    RefusalEvents events(heard);
    const auto now = postern::base::Moment(1h);
    RefusalEvents::Tally tally;
    for (int at = 0; at < 5'000; ++at)
        events.tell_of(refused("192.0.2.10"), Rule::relaying, false, &tally, now);
    CHECK(heard.all.size() == 5'000);
    events.close(tally, "192.0.2.10", "", now);
    CHECK(heard.all.size() == 5'000);

    heard.all.clear();
    for (int at = 0; at < 1'000; ++at)
        events.tell_of(refused("203.0.113.5"), at < 900 ? Rule::relaying : Rule::syntax, true, &tally, now);
    CHECK(heard.all.size() == RefusalEvents::per_session);
    events.close(tally, "203.0.113.5", "x", now);
    CHECK(heard.all.size() == RefusalEvents::per_session + 2);
    CHECK(heard.times() == 1'000);
    CHECK(heard.all.back().client == "203.0.113.5");
    events.close(tally, "203.0.113.5", "x", now);
    CHECK(heard.times() == 1'000);
}

TEST_CASE("many sessions of strangers flood nothing, and none is forgotten", "[refusal]") {
    Heard heard;
    RefusalEvents events(heard);
    auto now = postern::base::Moment(1h);
    for (int session = 0; session < 10'000; ++session) {
        RefusalEvents::Tally tally;
        for (int at = 0; at < 11; ++at)
            events.tell_of(refused("203.0.113.5"), Rule::relaying, true, &tally, now);
        events.close(tally, "203.0.113.5", "x", now);
        now += 1ms;
    }
    CHECK(heard.all.size() <= 200 + 5 * 10 + 1);
    events.flush();
    CHECK(heard.times() == 110'000);
    const std::size_t told = heard.all.size();
    events.flush();
    CHECK(heard.all.size() == told);
}

TEST_CASE("networks", "[places]") {
    const std::map<std::string, std::string> rows{{"192.0.2.77", "192.0.2.0/24"},
                                                  {"::ffff:192.0.2.77", "192.0.2.0/24"},
                                                  {"2001:db8:0:1:2:3:4:5", "2001:db8:0:1::/64"},
                                                  {"nonsense", "nonsense"}};
    for (const auto& [client, network] : rows) CHECK(network_of(client) == network);
}

TEST_CASE("nobody keeps the others out by holding connections", "[places]") {
    Settings settings;
    settings.accept.connections = 1'000;
    settings.primaries = {{"a", {}, {}}, {"b", {}, {}}};
    Places places;
    auto fill = [&](const std::string& primary, auto client) {
        std::size_t got = 0;
        while (got < 2'000 && !places.take(settings, primary, client(got))) ++got;
        return got;
    };
    auto same = [](std::size_t) { return std::string("203.0.113.5"); };
    auto network = [](std::size_t at) { return "203.0.113." + std::to_string(10 + at % 200); };
    auto anywhere = [](std::size_t at) {
        return "10." + std::to_string(at / 250) + "." + std::to_string(at % 250) + ".1";
    };
    CHECK(fill("", same) == 25);
    CHECK(places.take(settings, "", "203.0.113.5") == Rule::stranger_connections);
    CHECK(fill("", network) == 25);
    CHECK(fill("", anywhere) == 200);
    CHECK(fill("a", same) == 500);
    CHECK(places.take(settings, "a", "192.0.2.1") == Rule::connections);
    CHECK(fill("b", same) == 250);
    CHECK(places.taken() == 1'000);
    places.give_back("a", "203.0.113.5");
    CHECK_FALSE(places.take(settings, "a", "203.0.113.5"));
    for (int at = 0; at < 25; ++at) places.give_back("", "203.0.113.5");
    CHECK(fill("", same) == 25);

    settings.screening.gateway = "dlp";
    Places screened;
    const auto take = [&](const char* whose) { return !screened.take(settings, whose, "192.0.2.1"); };
    while (take("a")) continue;
    std::size_t back = 0;
    while (take(std::string(screening_place).c_str())) ++back;
    CHECK(back == 166);  // a third of half of them
    settings.screening.gateway.clear();

    Places alone;
    settings.primaries.pop_back();
    settings.accept.connections = 5;
    for (int at = 0; at < 5; ++at) CHECK_FALSE(alone.take(settings, "a", "192.0.2.1"));
    CHECK(alone.take(settings, "a", "192.0.2.1") == Rule::connections);
}

TEST_CASE("so many an hour", "[allowance]") {
    Allowance reports(20);
    auto now = postern::base::Moment(1h);
    for (int at = 0; at < 20; ++at) CHECK(reports.take("bob@origin.example", now));
    CHECK_FALSE(reports.take("bob@origin.example", now + 59min));
    CHECK(reports.take("eve@origin.example", now + 59min));
    CHECK(reports.take("bob@origin.example", now + 60min));
    std::size_t known = 0;
    while (known < 50'000 && reports.take(std::to_string(known), now + 61min)) ++known;
    CHECK(known == Allowance::most_known - 1);
    CHECK(reports.take("bob@origin.example", now + 61min));
}
