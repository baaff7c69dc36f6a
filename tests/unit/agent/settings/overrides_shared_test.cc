// What operators set at several gateways comes to the same at all.
#include <algorithm>
#include <catch2/catch.hpp>
#include <random>
#include <vector>

#include "agent/settings/overrides.h"

using namespace postern;
using namespace postern::agent;

namespace {

relay::Settings configured() {
    relay::Settings file;
    file.gateways.resize(2);
    file.gateways[0].name = "a";
    file.gateways[1].name = "b";
    file.egress.resize(1);
    file.egress[0].address = "192.0.2.20";
    return file;
}

/// What somebody does somewhere, by a clock of that place.
Overrides done(const Overrides& before, unsigned what, std::uint64_t now) {
    const auto file = configured();
    const auto route = [](const char* sender, const char* recipient, const char* gateway) {
        return relay::RouteSettings{sender, recipient, gateway, true};
    };
    Change after = before;
    switch (what % 7) {
        case 0: after = set_route(before, file, route("x.example", "", "a")); break;
        case 1: after = set_route(before, file, route("x.example", "", "b")); break;
        case 2: after = unset_route(before, file, route("x.example", "", "")); break;
        case 3: after = set_route(before, file, route("\"o dd\"@x.example", "y.example", "a")); break;
        case 4: after = enable_gateway(before, file, "a", what % 2 == 0); break;
        case 5: after = suspend_egress(before, file, "192.0.2.20", true); break;
        case 6: after = suspend_egress(before, file, "192.0.2.20", false); break;
    }
    return after ? stamped(*after, before, now) : before;
}

/// Without the order of the routes, which says nothing.
std::string said(Overrides overrides) {
    std::sort(overrides.routes.begin(), overrides.routes.end(), [](const auto& a, const auto& b) {
        return std::pair(a.sender, a.recipient) < std::pair(b.sender, b.recipient);
    });
    return to_json(overrides);
}

}  // namespace

TEST_CASE("all gateways come to the same, in whatever order they hear of each other") {
    for (unsigned seed = 1; seed <= 300; ++seed) {
        std::mt19937 random(seed);
        std::vector<Overrides> gateways(3);
        for (int step = 0; step < 60; ++step) {
            const std::size_t one = random() % 3, other = random() % 3;
            // Clocks are minutes apart, and sometimes show the same.
            if (random() % 2 == 0)
                gateways[one] = done(gateways[one], static_cast<unsigned>(random() % 700),
                                     1'000'000 + one * 300'000 + static_cast<unsigned>(step) / 4);
            else
                gateways[one] = with_later(gateways[one], *from_json(to_json(gateways[other])));
        }
        for (int round = 0; round < 3; ++round)
            for (const auto& told : std::vector<Overrides>(gateways))
                for (auto& gateway : gateways) gateway = with_later(gateway, told);
        INFO("seed " << seed);
        CHECK(said(gateways[0]) == said(gateways[1]));
        CHECK(said(gateways[1]) == said(gateways[2]));
    }
}

TEST_CASE("what is set last is in force, by whoever knew of what was set before") {
    const auto first = done({}, 0, 5'000'000);
    // By a clock that is an hour behind.
    const auto second = done(with_later({}, first), 1, 1'400'000);
    CHECK(with_later(first, second).routes.at(0).gateway == "b");
    const auto third = done(second, 2, 1'400'000);
    CHECK(with_later(second, third).routes.empty());
    CHECK(with_later(third, first).routes.empty());
}

TEST_CASE("two things that are set at once at two gateways are both in force") {
    const auto here = done({}, 0, 1), there = done({}, 5, 1);
    const auto both = with_later(here, there);
    CHECK(both.routes.size() == 1);
    CHECK(both.egress.at("192.0.2.20"));
}

TEST_CASE("that nothing is set any more is remembered, and not for ever") {
    Overrides overrides;
    for (std::uint64_t n = 0; n < 5000; ++n) {
        const auto file = configured();
        const relay::RouteSettings route{"user" + std::to_string(n) + "@x.example", "", "a", true};
        auto after = stamped(*set_route(overrides, file, route), overrides, n + 1);
        overrides = stamped(*unset_route(after, file, route), after, n + 1);
    }
    CHECK(overrides.routes.empty());
    CHECK(overrides.changed.size() <= 1001);
    // What a version before wrote has no times.
    CHECK(from_json(R"({"version":1,"routes":[],"gateways_enabled":{"a":true},"egress_suspended":{}})")
              ->changed.empty());
    CHECK_FALSE(from_json(
        R"({"version":1,"routes":[],"gateways_enabled":{},"egress_suspended":{},"changed":{"x":"y"}})"));
}
