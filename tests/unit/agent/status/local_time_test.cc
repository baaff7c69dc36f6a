#include "agent/status/local_time.h"

#include <catch2/catch.hpp>
#include <cstdlib>

#include "agent/log/log_line.h"

using namespace postern::agent;
using namespace std::chrono_literals;

namespace {

const auto noon = WallTime(std::chrono::seconds(1767355200));  // 2026-01-02 12:00:00Z

struct Zone {
    explicit Zone(const char* name) { setenv("TZ", name, 1); }
    ~Zone() { setenv("TZ", "UTC", 1); }
};

}  // namespace

TEST_CASE("times are by the clock on the wall, with its zone") {
    CHECK(local_time(noon) == "2026-01-02 12:00:00 UTC");
    const Zone elsewhere("CET-1CEST,M3.5.0,M10.5.0/3");
    CHECK(local_time(noon) == "2026-01-02 13:00:00 CET");
    CHECK(local_time(noon + 200 * 24h) == "2026-07-21 14:00:00 CEST");
    CHECK(local_time(noon + 999ms) == "2026-01-02 13:00:00 CET");
    CHECK(with_local_times("since 2026-01-02T12:00:00.123Z: no; 2026-01-02T12:00:00Z stays") ==
          "since 2026-01-02 13:00:00 CET: no; 2026-01-02T12:00:00Z stays");
}

TEST_CASE("how far away a time is") {
    const auto said = [](auto difference) { return relative_time(noon + difference, noon); };
    CHECK(said(0s) == "now");
    CHECK(said(45s) == "in 45 s");
    CHECK(said(4min) == "in 4 min");
    CHECK(said(-90min) == "90 min ago");
    CHECK(said(-150min) == "2 h ago");
    CHECK(said(-47h) == "47 h ago");
    CHECK(said(5 * 24h) == "in 5 d");
}

TEST_CASE("ISO times are read back") {
    CHECK(parse_iso_time(iso_time(noon + 123ms)) == noon + 123ms);
    for (const auto* text :
         {"", "2026-01-02", "2026-01-02T12:00:00Z", "2026-01-02T12:00:00.123", "x026-01-02T12:00:00.123Z"})
        CHECK_FALSE(parse_iso_time(text));
}
