#include "agent/log/repeat_filter.h"

#include <catch2/catch.hpp>
#include <string>

using namespace postern::agent;

TEST_CASE("what repeats passes seldom, with its number, and kinds stay few") {
    RepeatFilter filter;
    RepeatFilter::Time now{std::chrono::hours(5)};
    CHECK(filter.pass("a", now) == 1u);
    CHECK_FALSE(filter.pass("a", now));
    CHECK_FALSE(filter.pass("a", now + std::chrono::minutes(9)));
    CHECK(filter.pass("a", now + std::chrono::minutes(10)) == 3u);
    now += std::chrono::minutes(10);
    std::size_t passed = 0;
    for (int i = 0; i < 1000; ++i) passed += filter.pass("kind " + std::to_string(i), now) ? 1 : 0;
    CHECK(passed == RepeatFilter::most_kinds);  // the others count as one
    CHECK(filter.pass("later", now + std::chrono::minutes(10)) == 1u);
}
