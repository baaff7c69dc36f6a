#include "agent/settings/quantity.h"

#include <catch2/catch.hpp>

using namespace postern::agent;
using std::chrono::milliseconds;

TEST_CASE("durations are whole numbers with units, largest first") {
    struct Case {
        const char* text;
        std::int64_t expected;
    };
    const auto c = GENERATE(Case{"0s", 0}, Case{"250ms", 250}, Case{"1s", 1000}, Case{"5d", 432'000'000},
                            Case{"1h30m", 5'400'000}, Case{"1m30s", 90'000}, Case{"1d2h3m4s5ms", 93'784'005},
                            Case{"90m", 5'400'000});
    CAPTURE(c.text);
    REQUIRE(parse_duration(c.text));
    CHECK(parse_duration(c.text)->count() == c.expected);
    CHECK(parse_duration(format_duration(milliseconds(c.expected)))->count() == c.expected);
}

TEST_CASE("what is no duration is refused with words") {
    const auto* text = GENERATE("", "5", "s", "5 m", "5x", "-1s", "+1s", "1.5h", "1s1m", "1s1s", "5S", "1h ",
                                "99999999999999999999s", "9223372036854775807d", "1M");
    CAPTURE(text);
    const auto parsed = parse_duration(text);
    REQUIRE_FALSE(parsed);
    CHECK_FALSE(parsed.error().empty());
}

TEST_CASE("sizes have binary units") {
    CHECK(parse_size("50MiB").value() == 50u << 20);
    CHECK(parse_size("64KiB").value() == 64u << 10);
    CHECK(parse_size("0B").value() == 0);
    CHECK(parse_size("2GiB").value() == 2ull << 30);
    CHECK(format_size(50u << 20) == "50MiB");
    CHECK(format_size(1000) == "1000B");
    CHECK(format_size(0) == "0B");
    const auto* text =
        GENERATE("", "50", "50MB", "50M", "1MiB1KiB", "-1B", "1.5GiB", "9999999999999GiB", "MiB");
    CAPTURE(text);
    CHECK_FALSE(parse_size(text));
}
