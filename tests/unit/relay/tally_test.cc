// How much senders hand in: counted in windows, limited, given back, bounded and kept.
#include <catch2/catch.hpp>
#include <map>
#include <memory>
#include <random>
#include <string>

#include "relay/volume/tally.h"
#include "tests/unit/shortage.h"

using namespace postern;
using namespace postern::relay;
using namespace std::chrono_literals;
using Unit = VolumeLimit::Unit;

namespace {

const base::Time begin(1'700'000'000s);

LimitSettings limits_of_users(std::vector<VolumeLimit> limits) {
    LimitSettings out;
    out.user = std::move(limits);
    return out;
}

/// Hands in one message to so many; gives to how many it was let through.
unsigned hand_in(Tally& tally, const VolumeSender& sender, base::Time now, unsigned recipients = 1,
                 bool monitored = false) {
    Tally::Charge charge;
    unsigned taken = 0;
    for (unsigned one = 0; one < recipients; ++one)
        if (!tally.take(charge, sender, now, monitored)) ++taken;
    charge.keep();
    return taken;
}

const VolumeSender alice("alice", "example.com", "main"), bob("bob", "example.com", "main");

}  // namespace

TEST_CASE("what is older than a window does not count, and what is in it does", "[tally]") {
    for (const auto length : Tally::periods) {
        std::mt19937 random(7);
        SlidingCount count;
        std::multimap<base::Time, std::uint32_t> all;
        base::Time now = begin;
        for (int i = 0; i < 3000; ++i) {
            now += std::chrono::seconds(random() % (static_cast<unsigned>(length.count()) / 40 + 2));
            const std::uint32_t some = random() % 5;
            count.add(now, length, some);
            all.emplace(now, some);
            std::uint64_t least = 0, most = 0;
            const auto step = length / static_cast<int>(SlidingCount::steps);
            for (const auto& [at, one] : all) {
                if (at > now - length + step) least += one;
                if (at > now - length - step) most += one;
            }
            const std::uint64_t sum = count.sum(now, length);
            REQUIRE(sum >= least);
            REQUIRE(sum <= most);
            if (sum > 2) {
                const auto then = count.falls_to(2, now, length);
                REQUIRE(count.sum(then, length) <= 2);
                REQUIRE(count.sum(then - 1s, length) > 2);
            }
        }
    }
}

TEST_CASE("a limit lets so many through and no more, until the window has moved on", "[tally]") {
    Tally tally;
    tally.reload(limits_of_users({{Unit::recipients, 10, 1h}, {Unit::messages, 3, 60s}}));
    CHECK(hand_in(tally, alice, begin, 4) == 4);
    CHECK(hand_in(tally, bob, begin, 20) == 10);
    CHECK(hand_in(tally, alice, begin, 4) == 4);
    CHECK(hand_in(tally, alice, begin, 4) == 2);
    Tally::Charge charge;
    const auto reached = tally.take(charge, alice, begin, false);
    REQUIRE(reached);
    CHECK(reached->scope == VolumeScope::user);
    CHECK(reached->who == "alice@example.com");
    CHECK(reached->used >= reached->limit.count);
    CHECK(in_words(reached->limit) == "10 recipients an hour");
    CHECK(tally.would_exceed(alice, begin + 30min));
    CHECK(hand_in(tally, alice, begin + 65min, 20) == 10);
    CHECK(tally.refused() > 0);
}

TEST_CASE("the time that is told is when there is room again", "[tally]") {
    Tally tally;
    tally.reload(limits_of_users({{Unit::recipients, 5, 1h}}));
    for (int i = 0; i < 5; ++i) CHECK(hand_in(tally, alice, begin + i * 7min) == 1);
    const auto reached = tally.would_exceed(alice, begin + 30min);
    REQUIRE(reached);
    CHECK(reached->until > begin + 50min);
    CHECK(hand_in(tally, alice, reached->until - 1s) == 0);
    CHECK(hand_in(tally, alice, reached->until) == 1);
}

TEST_CASE("what comes to nothing is given back", "[tally]") {
    Tally tally;
    tally.reload(limits_of_users({{Unit::recipients, 5, 1h}, {Unit::messages, 2, 1h}}));
    for (int i = 0; i < 10; ++i) {
        Tally::Charge charge;
        for (int one = 0; one < 5; ++one) CHECK_FALSE(tally.take(charge, alice, begin + i * 1min, false));
        CHECK(tally.take(charge, alice, begin + i * 1min, false));
    }
    Tally::Charge charge;
    CHECK_FALSE(tally.take(charge, alice, begin, false));
    charge.give_back();
    charge.give_back();
    CHECK(hand_in(tally, alice, begin + 1min, 6) == 5);
}

TEST_CASE("a transaction that is held open counts each recipient when it is named") {
    Tally tally;
    tally.reload(limits_of_users({{Unit::recipients, 5, 60s}}));
    Tally::Charge charge;
    CHECK_FALSE(tally.take(charge, alice, begin, false));
    unsigned taken = 0;
    for (int i = 0; i < 100; ++i) taken += !tally.take(charge, alice, begin + 90s, false);
    CHECK(taken == 5);
    charge.give_back();
    CHECK(hand_in(tally, alice, begin + 90s, 9) == 5);
}

TEST_CASE("sessions beside each other do not go beyond a limit together", "[tally]") {
    Tally tally;
    tally.reload(limits_of_users({{Unit::recipients, 10, 1h}}));
    Tally::Charge one, other;
    unsigned taken = 0;
    for (int i = 0; i < 10; ++i) {
        taken += !tally.take(one, alice, begin, false);
        taken += !tally.take(other, alice, begin, false);
    }
    CHECK(taken == 10);
}

TEST_CASE("a domain, a primary and all together have limits of their own, and reports count for the last two",
          "[tally]") {
    LimitSettings limits;
    limits.domain = {{Unit::recipients, 6, 1h}};
    limits.primary = {{Unit::recipients, 8, 1h}};
    limits.all = {{Unit::recipients, 9, 1h}};
    Tally tally;
    tally.reload(limits);
    CHECK(hand_in(tally, alice, begin, 4) == 4);
    CHECK(hand_in(tally, bob, begin, 4) == 2);
    const VolumeSender other("x", "other.example", "main"), report("", "", "main"),
        second("x", "else.example", "b");
    CHECK(hand_in(tally, other, begin, 1) == 1);
    CHECK(hand_in(tally, report, begin, 4) == 1);
    CHECK(tally.would_exceed(report, begin)->scope == VolumeScope::primary);
    CHECK(hand_in(tally, second, begin, 4) == 1);
    CHECK(tally.would_exceed(second, begin)->scope == VolumeScope::all);
}

TEST_CASE("a user is the address without what stands behind a plus, in lower case", "[tally]") {
    Tally tally;
    tally.reload(limits_of_users({{Unit::recipients, 2, 1h}}));
    CHECK(hand_in(tally, {"Alice+news", "Example.COM", "main"}, begin) == 1);
    CHECK(hand_in(tally, {"alice", "example.com", "main"}, begin) == 1);
    CHECK(hand_in(tally, {"ALICE+2", "example.com", "main"}, begin) == 0);
    CHECK(hand_in(tally, {"+odd", "example.com", "main"}, begin) == 1);
}

TEST_CASE("rules go before what holds for all, the nearest first", "[tally]") {
    auto limits = limits_of_users({{Unit::recipients, 2, 1h}});
    limits.domain = {{Unit::recipients, 5, 1h}};
    limits.rules = {
        {"news@example.com", {}}, {"*@example.com", {{Unit::recipients, 3, 1h}}}, {"other.example", {}}};
    Tally tally;
    tally.reload(limits);
    CHECK(hand_in(tally, alice, begin, 9) == 3);
    CHECK(hand_in(tally, {"news", "example.com", "main"}, begin, 9) == 2);  // the domain's five
    CHECK(hand_in(tally, {"x", "other.example", "main"}, begin, 9) == 2);
    CHECK(hand_in(tally, {"y", "other.example", "main"}, begin, 9) == 2);
    CHECK(hand_in(tally, {"z", "other.example", "main"}, begin, 9) == 2);
    tally.reload({});
    CHECK(hand_in(tally, alice, begin, 9) == 9);
}

TEST_CASE("in monitor mode it is told and counted, and let through", "[tally]") {
    Tally tally;
    tally.reload(limits_of_users({{Unit::recipients, 2, 1h}}));
    CHECK(hand_in(tally, alice, begin, 5, true) == 2);
    CHECK(tally.views("alice@example.com", 1, begin).at(0).counts.at(4).used == 5);
}

TEST_CASE("a million invented senders take bounded memory and do not hide who sends much", "[tally]") {
    Tally tally;
    tally.reload(limits_of_users({{Unit::recipients, 100, 24h}}));
    CHECK(hand_in(tally, alice, begin, 100) == 100);
    std::size_t longest = 0;
    for (unsigned i = 0; i < (tests::sanitized ? 200'000u : 1'000'000u); ++i) {
        const VolumeSender one(std::to_string(i), "d" + std::to_string(i % 1000) + ".example", "main");
        hand_in(tally, one, begin + i * 1ms);
        longest = std::max(longest, one.names.front().size());
    }
    CHECK(hand_in(tally, alice, begin + 20min) == 0);
    CHECK(tally.save()->size() < 2 * Tally::most_known * 6 * (longest + 60));
    CHECK(hand_in(tally, {std::string(10'000, 'x'), "example.com", "main"}, begin + 20min) == 1);
}

TEST_CASE("what was counted outlives a restart, whatever senders are called", "[tally]") {
    const auto limits = limits_of_users({{Unit::recipients, 3, 24h}, {Unit::messages, 2, 1h}});
    Tally tally;
    tally.reload(limits);
    const VolumeSender odd("a\nb \xff=%", "x.example", "main");
    hand_in(tally, alice, begin, 3);
    hand_in(tally, odd, begin, 2);
    const auto text = tally.save();
    REQUIRE(text);
    CHECK_FALSE(tally.save());
    tally.not_saved();
    CHECK(tally.save() == text);
    Tally next;
    next.reload(limits);
    next.restore(
        "junk\nr\nr 9 0x 1=1\nr 1 9x 1=1\nm 1 0x y=1\nr 1 0alice@example.com 1099511627776=4 40000000=4\n" +
            *text + "r 1 0z 1",
        begin + 1min);
    CHECK(hand_in(next, alice, begin + 1min) == 0);
    CHECK(hand_in(next, odd, begin + 1min, 5) == 1);
    CHECK(next.views("", 100, begin + 1min).size() == tally.views("", 100, begin + 1min).size());
    // Of a clock that was a year ahead.
    Tally wrong;
    wrong.reload(limits);
    wrong.restore(*text, begin - 24h * 365);
    CHECK(hand_in(wrong, alice, begin - 24h * 365, 3) == 3);
}

TEST_CASE("who is nearest to a limit is shown first", "[tally]") {
    auto limits = limits_of_users({{Unit::recipients, 100, 1h}});
    limits.rules = {{"bob@example.com", {{Unit::recipients, 10, 1h}}}};
    Tally tally;
    tally.reload(limits);
    hand_in(tally, alice, begin, 50);
    hand_in(tally, bob, begin, 9);
    const auto views = tally.views("", 3, begin);
    REQUIRE(views.size() == 3);
    CHECK(views[0].who == "bob@example.com");
    CHECK(views[1].who == "alice@example.com");
    CHECK(views[0].counts.at(4).limit == 10);
    CHECK(tally.views("ALICE@example.com", 9, begin).size() == 1);
    CHECK(tally.views("nobody", 9, begin).empty());
}
