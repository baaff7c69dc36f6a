// Which of the addresses mail leaves from, as far as that is the operator's choice.
#include <catch2/catch.hpp>

#include "tests/unit/relay/egress_pool.h"

using namespace postern::relay;
using namespace postern::tests;
using namespace std::chrono_literals;

TEST_CASE("an address that cannot be used is none that remains", "[egress]") {
    for (const bool gone : {true, false}) {
        auto settings = with({a, b});
        settings.delivery.warm_up = {1, 1};
        EgressPool pool(fixed(with({a})), "", noon);
        pool.reload(fixed(settings), noon);  // b joins, and warms up
        if (gone)
            pool.absent(b, noon + 1min);
        else
            pool.accepted(b, "x", noon);
        pool.refused(a, {"x", "x/24 x.example"}, listed_everywhere, blocked, noon);
        CHECK(pool.refused(a, {"y", "y/24 y.example"}, listed_everywhere, blocked, noon)->site == "y");
    }
}

TEST_CASE("round-robin takes turns among those that can be used", "[egress]") {
    auto pool = pool_of({a, b, c}, Rotation::round_robin);
    std::map<std::string, int> count;
    for (int i = 0; i < 30; ++i) ++count[chosen(pool, "x", noon)];
    CHECK(count == std::map<std::string, int>{{a, 10}, {b, 10}, {c, 10}});
    pool.refused(b, "x", listed_here, blocked, noon);
    count.clear();
    for (int i = 0; i < 30; ++i) ++count[chosen(pool, "x", noon)];
    CHECK(count == std::map<std::string, int>{{a, 15}, {c, 15}});
    const auto next = pool.preview("y", "", any, noon).source;
    CHECK(pool.preview("y", "", any, noon).source == next);
    CHECK(pool.choose("y", "", any, noon).source == next);
}

TEST_CASE("per-domain: only mail of a listed address moves, and comes back", "[egress]") {
    auto pool = pool_of({a, b, c}, Rotation::per_domain);
    std::map<std::string, std::string> home;
    std::map<std::string, int> count;
    for (int i = 0; i < 600; ++i) {
        const auto domain = "d" + std::to_string(i) + ".example";
        home[domain] = chosen(pool, "x", noon, domain);
        ++count[home[domain]];
    }
    for (const auto& [address, share] : count) CHECK(share > 150);
    CHECK(chosen(pool, "other", noon, "D1.Example") == home["d1.example"]);

    pool.refused(b, "x", listed_here, blocked, noon);
    std::map<std::string, int> moved;
    for (const auto& [domain, address] : home) {
        const auto now = chosen(pool, "x", noon, domain);
        if (address == b)
            ++moved[now];
        else
            CHECK(now == address);
        CHECK(chosen(pool, "y", noon, domain) == address);
    }
    CHECK(moved[a] > 0);
    CHECK(moved[c] > 0);
    CHECK(moved[b] == 0);
    for (int i = 0; i < 3; ++i) pool.accepted(b, "x", noon + 6h);
    for (const auto& [domain, address] : home) CHECK(chosen(pool, "x", noon + 6h, domain) == address);
}

TEST_CASE("only addresses of a family the site can be reached by", "[egress]") {
    auto pool = pool_of({six, a});
    CHECK(pool.choose("x", "", {.four = true, .six = true}, noon).source->address == six);
    CHECK(pool.choose("x", "", {.four = true, .six = false}, noon).source->address == a);
    auto four = pool_of({a});
    const auto choice = four.choose("x", "", {.four = false, .six = true}, noon);
    REQUIRE(choice.source);
    CHECK(*choice.source == Source{"", "gw.example"});
    four.refused("", "x", listed_here, blocked, noon);
    CHECK_FALSE(four.choose("x", "", {.four = false, .six = true}, noon).source);
}

TEST_CASE("without [[egress]] the system's choice is judged like any other", "[egress]") {
    auto pool = pool_of({});
    CHECK(*pool.choose("x", "", any, noon).source == Source{"", "gw.example"});
    CHECK(pool.usable("", "x", noon));
    CHECK(pool.refused("", "x", listed_everywhere, blocked, noon)->site == "x");
    CHECK_FALSE(pool.usable("", "x", noon));
    CHECK_FALSE(pool.choose("x", "", any, noon).source);
    CHECK(pool.choose("y", "", any, noon).source);
    pool.accepted("", "y", noon);
    const auto views = pool.views(noon);
    REQUIRE(views.size() == 1);
    CHECK(views[0].address.empty());
    CHECK(views[0].sent_today == 1);
    CHECK(views[0].listings.size() == 1);
}

TEST_CASE("another address than the one that is excepted, if there is any", "[egress]") {
    auto pool = pool_of({a, b});
    CHECK(pool.choose("x", "", any, noon, a).source->address == b);
    CHECK(pool.preview("x", "", any, noon, b).source->address == a);
    pool.refused(b, "x", listed_here, blocked, noon);
    CHECK(pool.choose("x", "", any, noon, a).source->address == a);
    pool.refused(a, "x", listed_here, blocked, noon);
    CHECK_FALSE(pool.choose("x", "", any, noon, a).source);
    CHECK(pool_of({a}).choose("x", "", any, noon, a).source->address == a);
}

TEST_CASE("a suspended address is not used, and says so when it is the last", "[egress]") {
    auto settings = with({a, b});
    settings.egress[0].suspended = true;
    EgressPool pool(fixed(settings), "", noon);
    CHECK(chosen(pool, "x", noon) == b);
    CHECK_FALSE(pool.usable(a, "x", noon));
    settings.egress[1].suspended = true;
    pool.reload(fixed(settings), noon);
    const auto choice = pool.choose("x", "", any, noon);
    CHECK_FALSE(choice.source);
    CHECK(choice.again > noon);
    CHECK(choice.why.find("192.0.2.2 is suspended") != std::string::npos);
    CHECK(pool.views(noon)[0].suspended);
}

TEST_CASE("an address this machine lacks is stepped over for a while", "[egress]") {
    auto pool = pool_of({a, b});
    pool.absent(a, noon + 1min);
    CHECK(chosen(pool, "x", noon) == b);
    CHECK_FALSE(pool.usable(a, "x", noon));
    CHECK(chosen(pool, "x", noon + 2min) == a);
    pool.absent(a, noon + 1min);
    pool.absent(b, noon + 1min);
    const auto none = pool.choose("x", "", any, noon);
    CHECK_FALSE(none.source);
    CHECK(none.why.find("not an address of this machine") != std::string::npos);
    pool.reload(fixed(with({a, b})), noon);
    CHECK(chosen(pool, "x", noon) == a);
}
