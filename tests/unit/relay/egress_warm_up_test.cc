#include <catch2/catch.hpp>

#include "relay/egress/pool.h"

using namespace postern::relay;
using namespace std::chrono_literals;

namespace {

const Time noon = Time(std::chrono::sys_days(std::chrono::year(2026) / 3 / 10)) + 12h;
const std::string a = "192.0.2.1", b = "192.0.2.2", c = "192.0.2.3";
constexpr Families any{};

Settings with(std::vector<std::string> addresses, Rotation rotation = Rotation::on_listing) {
    Settings settings;
    settings.hostname = "gw.example";
    for (auto& address : addresses) {
        settings.egress.emplace_back();
        settings.egress.back().address = address;
    }
    settings.delivery.rotation = rotation;
    settings.delivery.warm_up = {3, 5};
    return settings;
}

SettingsPtr fixed(Settings settings) { return std::make_shared<const Settings>(std::move(settings)); }

/// Sends messages that are all taken; how many left from each address.
std::map<std::string, int> send(EgressPool& pool, int messages, Time now) {
    std::map<std::string, int> count;
    for (int i = 0; i < messages; ++i) {
        const auto choice = pool.choose("x", "example.org", any, now);
        REQUIRE(choice.source);
        pool.accepted(choice.source->address, "x", now);
        ++count[choice.source->address];
    }
    return count;
}

using Counts = std::map<std::string, int>;

}  // namespace

TEST_CASE("an address that joins a pool in use warms up by plan", "[egress][warm-up]") {
    const auto rotation = GENERATE(Rotation::on_listing, Rotation::round_robin);
    EgressPool pool(fixed(with({a}, rotation)), "", noon);
    CHECK(send(pool, 20, noon) == Counts{{a, 20}});
    pool.reload(fixed(with({a, b}, rotation)), noon);
    CHECK(send(pool, 20, noon) == Counts{{a, 17}, {b, 3}});
    CHECK(pool.spent(b, noon));
    CHECK_FALSE(pool.spent(a, noon));
    CHECK_FALSE(pool.spent(b, noon + 12h));
    const auto views = pool.views(noon);
    CHECK(views[0].allowance == 0);
    CHECK(views[0].warm_up_day == 0);
    CHECK(views[1].allowance == 3);
    CHECK(views[1].warm_up_day == 1);
    CHECK(views[1].sent_today == 3);

    CHECK(send(pool, 20, noon + 11h) == Counts{{a, 20}});
    CHECK(send(pool, 20, noon + 12h) == Counts{{a, 15}, {b, 5}});  // the next UTC day
    // After the plan it is an address like the others.
    CHECK(pool.views(noon + 36h)[1].allowance == 0);
    CHECK(send(pool, 20, noon + 36h) ==
          (rotation == Rotation::on_listing ? Counts{{a, 20}} : Counts{{a, 10}, {b, 10}}));
}

TEST_CASE("a whole new pool does not warm up unless it is told to", "[egress][warm-up]") {
    auto settings = with({a, b}, Rotation::round_robin);
    EgressPool pool(fixed(settings), "", noon);
    CHECK(send(pool, 20, noon) == Counts{{a, 10}, {b, 10}});
    settings.egress[0].warm_up = WarmUp::yes;
    EgressPool told(fixed(settings), "", noon);
    CHECK(send(told, 20, noon) == Counts{{a, 3}, {b, 17}});
    settings.egress.emplace_back();
    settings.egress.back().address = c;
    settings.egress.back().warm_up = WarmUp::no;
    told.reload(fixed(settings), noon);
    CHECK(send(told, 20, noon).at(c) > 9);
}

TEST_CASE("a pool after the system's choice is a new one", "[egress][warm-up]") {
    EgressPool pool(fixed(with({})), "", noon);
    CHECK(send(pool, 5, noon) == Counts{{"", 5}});
    EgressPool again(fixed(with({a, b})), pool.save(), noon + 1h);
    CHECK(send(again, 20, noon + 1h) == Counts{{a, 20}});
}

TEST_CASE("warming addresses that have used their allowance come last, but before waiting",
          "[egress][warm-up]") {
    auto settings = with({a, b, c});
    for (auto& egress : settings.egress) egress.warm_up = WarmUp::yes;
    EgressPool pool(fixed(settings), "", noon);
    CHECK(send(pool, 9, noon) == Counts{{a, 3}, {b, 3}, {c, 3}});
    auto choice = pool.choose("x", "", any, noon);
    REQUIRE(choice.source);
    CHECK(choice.why.find("used its allowance of 3 messages on day 1") != std::string::npos);

    // A probation is used before an allowance is exceeded; the largest allowance is exceeded first.
    settings = with({a, b});
    EgressPool old(fixed(settings), "", noon - 24h);
    settings.egress.push_back({c, "", WarmUp::automatic, false});
    old.reload(fixed(settings), noon);
    CHECK(send(old, 3, noon) == Counts{{c, 3}});
    old.refused(a, "x", {ReplyMeaning::listed, "r", 1h}, {550, {}, "no"}, noon);
    old.refused(b, "x", {ReplyMeaning::listed, "r", 9h}, {550, {}, "no"}, noon);
    CHECK(old.choose("x", "", any, noon).source->address == c);
    for (const auto after : {1h + 0s, 1h + 1s}) {
        choice = old.choose("x", "", any, noon + after);
        CHECK(choice.source->address == a);
        CHECK(choice.probe);
    }
    settings.egress.push_back({"192.0.2.4", "", WarmUp::yes, false});
    settings.egress[0].suspended = true;
    EgressPool staggered(fixed(settings), old.save(), noon + 12h);  // day 2 of c, day 1 of the newest
    staggered.refused(b, "x", {ReplyMeaning::listed, "r", 9h}, {550, {}, "no"}, noon + 12h);
    CHECK(send(staggered, 8, noon + 12h) == Counts{{c, 5}, {"192.0.2.4", 3}});
    CHECK(send(staggered, 4, noon + 12h) == Counts{{c, 4}});
}

TEST_CASE("counts and dates are kept over a restart, and for an address that was away", "[egress][warm-up]") {
    EgressPool pool(fixed(with({a})), "", noon);
    pool.reload(fixed(with({a, b})), noon);
    pool.save();
    CHECK(send(pool, 2, noon) == Counts{{b, 2}});
    CHECK_FALSE(pool.changed(noon + 59s));  // counts alone are not worth a write every time
    CHECK(pool.changed(noon + 60s));
    EgressPool again(fixed(with({a, b})), pool.save(), noon);
    CHECK(send(again, 20, noon) == Counts{{a, 19}, {b, 1}});

    again.reload(fixed(with({a})), noon);
    const auto back = noon + 24h * 30;
    EgressPool returned(fixed(with({a, b})), again.save(), back);
    CHECK(returned.views(back)[1].allowance == 0);  // known since long
    again.reload(fixed(with({a})), noon);
    EgressPool forgotten(fixed(with({a, b})), again.save(), back + 24h);
    CHECK(forgotten.views(back + 24h)[1].allowance == 3);
}

TEST_CASE("a clock that was ahead does not keep an address at its first day", "[egress][warm-up]") {
    EgressPool pool(fixed(with({a})), "", noon);
    const auto ahead = noon + 24h * 365 * 20;
    pool.reload(fixed(with({a, b})), ahead);
    CHECK(send(pool, 5, ahead) == Counts{{a, 2}, {b, 3}});
    EgressPool again(fixed(with({a, b})), pool.save(), noon);
    CHECK(send(again, 5, noon) == Counts{{a, 2}, {b, 3}});
    EgressPool later(fixed(with({a, b})), again.save(), noon + 48h);
    CHECK(later.views(noon + 48h)[1].allowance == 0);
}

TEST_CASE(
    "a receiver that puts mail off holds an address back there, for the day and the next, and nowhere else",
    "[egress][warm-up]") {
    auto settings = with({a});
    settings.delivery.warm_up = {10, 20, 40, 80};
    EgressPool pool(fixed(settings), "", noon);
    auto both = settings;
    both.egress.emplace_back().address = b;
    pool.reload(fixed(both), noon);
    CHECK(send(pool, 10, noon) == Counts{{b, 10}});  // to "x"

    const Time second = noon + 24h;
    for (int i = 0; i < 3; ++i) {
        CHECK(pool.choose("x", "", any, second).source->address == b);
        pool.put_off(b, "x", second);
    }
    auto choice = pool.choose("x", "", any, second);
    CHECK(choice.source->address == a);
    CHECK(pool.spent(b, "x", second));
    CHECK_FALSE(pool.spent(b, "y", second));
    CHECK(pool.choose("y", "", any, second).source->address == b);
    CHECK(pool.views(second)[1].held_back == std::vector<std::string>{"x"});

    EgressPool again(fixed(both), pool.save(), second);  // over a restart
    CHECK(again.choose("x", "", any, second).source->address == a);
    const Time third = second + 24h;
    CHECK(send(again, 30, third) == Counts{{a, 20}, {b, 10}});  // one step back
    const Time fourth = third + 24h;
    CHECK(send(again, 30, fourth) == Counts{{a, 10}, {b, 20}});
    CHECK(again.views(fourth + 24h)[1].held_back.empty());
}

TEST_CASE("a receiver that is new to an address begins at the beginning, whatever its day is",
          "[egress][warm-up]") {
    auto settings = with({a});
    settings.delivery.warm_up = {10, 20, 40, 80};
    EgressPool pool(fixed(settings), "", noon);
    settings.egress.emplace_back().address = b;
    pool.reload(fixed(settings), noon);
    send(pool, 10, noon);
    const Time third = noon + 48h;
    int there = 0;
    for (int i = 0; i < 30; ++i) {
        const auto choice = pool.choose("new", "", any, third);
        pool.accepted(choice.source->address, "new", third);
        there += choice.source->address == b ? 1 : 0;
    }
    CHECK(there == 10);
    CHECK(send(pool, 30, third) == Counts{{a, 10}, {b, 20}});  // a good day: the second step
}

TEST_CASE("a few that are put off among many hold nothing back", "[egress][warm-up]") {
    auto settings = with({a});
    settings.delivery.warm_up = {100, 200};
    EgressPool pool(fixed(settings), "", noon);
    settings.egress.emplace_back().address = b;
    pool.reload(fixed(settings), noon);
    CHECK(send(pool, 50, noon) == Counts{{b, 50}});
    for (int i = 0; i < 5; ++i) pool.put_off(b, "x", noon);
    CHECK_FALSE(pool.spent(b, "x", noon));
    for (int i = 0; i < 5; ++i) pool.put_off(b, "x", noon);
    CHECK(pool.spent(b, "x", noon));
}
