#include "relay/screening/returns.h"

#include <catch2/catch.hpp>

using namespace postern::relay;
using namespace std::chrono_literals;

namespace {

const Time start{std::chrono::seconds(1'800'000'000)};

}  // namespace

TEST_CASE("what came back twice before its way there was told came again, unless it had gone to more") {
    Returns returns;
    CHECK_FALSE(returns.came(MessageId{1}, 1, start));
    CHECK_FALSE(returns.came(MessageId{1}, 1, start));
    CHECK(returns.view(start, 1h).again == 0);
    returns.went(MessageId{1}, "a@b.example", 1, start);
    CHECK(returns.view(start, 1h).again == 1);
    returns.went(MessageId{1}, "a@b.example", 1, start);
    CHECK(returns.view(start, 1h).again == 0);
}

TEST_CASE("what went and came back is away no more", "[returns]") {
    Returns returns;
    returns.went(MessageId{1}, "a@b.example", 3, start);
    CHECK(returns.view(start, 1h).away == 1);
    CHECK_FALSE(returns.came(MessageId{1}, 1, start));
    CHECK_FALSE(returns.came(MessageId{1}, 1, start));
    CHECK(returns.view(start, 1h).away == 1);
    CHECK_FALSE(returns.came(MessageId{1}, 1, start));
    const auto view = returns.view(start, 1h);
    CHECK((view.went == 1 && view.back == 1 && view.away == 0 && view.again == 0));
    CHECK(returns.came(MessageId{1}, 1, start));
    CHECK(returns.view(start, 1h).again == 1);
}

TEST_CASE("it may come back before it is known to have gone", "[returns]") {
    Returns returns;
    CHECK_FALSE(returns.came(MessageId{1}, 2, start));
    CHECK(returns.view(start, 1h).away == 0);
    returns.went(MessageId{1}, "a@b.example", 2, start);
    const auto view = returns.view(start, 1h);
    CHECK((view.went == 1 && view.back == 1 && view.away == 0 && view.again == 0));
}

TEST_CASE("what stays away is told once, and kept over a restart", "[returns]") {
    Returns returns;
    returns.went(MessageId::first_at(start), "a b%@c.example", 2, start);
    returns.came(MessageId::first_at(start), 1, start);
    returns.went(MessageId::first_at(start + 1s), "", 1, start + 30min);
    CHECK_FALSE(returns.newly_missing(start + 59min, 1h));
    const auto missing = returns.newly_missing(start + 60min, 1h);
    REQUIRE(missing);
    CHECK((missing->count == 1 && missing->sender == "a b%@c.example"));
    CHECK_FALSE(returns.newly_missing(start + 61min, 1h));
    const auto text = returns.save();
    REQUIRE(text);
    CHECK_FALSE(returns.save());
    returns.not_saved();
    CHECK(returns.save() == text);

    Returns later;
    later.restore("nonsense\n\ncounts x\n" + *text + "0crambx6vxr80\n");
    const auto view = later.view(start + 70min, 1h);
    CHECK((view.went == 2 && view.away == 2 && view.missing == 1));
    REQUIRE(view.list.size() == 1);
    CHECK((view.list[0].sender == "a b%@c.example" && view.list[0].recipients == 1));
    CHECK(later.newly_missing(start + 90min, 1h)->count == 1);  // the other one
    CHECK_FALSE(later.newly_missing(start + 100min, 1h));
    CHECK_FALSE(later.came(MessageId::first_at(start), 1, start + 2h));
    CHECK(later.view(start + 2h, 1h).away == 1);
    CHECK_FALSE(later.newly_missing(start + 24h * 15, 1h));
    CHECK(later.view(start + 24h * 15, 1h).given_up == 1);
}

TEST_CASE("however many go, the memory is bounded and those that stay away are kept longest", "[returns]") {
    Returns returns;
    for (std::uint64_t at = 1; at <= 1000; ++at) returns.went(MessageId{at}, "lost@a.example", 1, start);
    for (std::uint64_t at = 1001; at <= 300'000; ++at) {
        returns.went(MessageId{at}, "fine@a.example", 1, start);
        returns.came(MessageId{at}, 1, start);
    }
    CHECK(returns.view(start, 1h).away == 1000);
    for (std::uint64_t at = 300'001; at <= 600'000; ++at)
        returns.went(MessageId{at}, "lost@a.example", 1, start);
    const auto view = returns.view(start, 1h);
    CHECK(view.away <= 120'000);
    CHECK(view.away + view.given_up == 301'000);
}
