#include "sync/base/time_text.h"

#include <catch2/catch.hpp>
#include <cstdlib>
#include <regex>

using namespace postern::base;
using namespace std::chrono_literals;

namespace {

const Time noon = std::chrono::sys_days(std::chrono::year(2026) / 1 / 2) + 12h;

struct Zone {
    explicit Zone(const char* name) { setenv("TZ", name, 1); }
    ~Zone() { unsetenv("TZ"); }
};

Time at(std::int64_t seconds) { return Time(std::chrono::seconds(seconds)); }

}  // namespace

TEST_CASE("times for programs are those of RFC 3339, in UTC", "[time]") {
    const Zone elsewhere("CET-1CEST,M3.5.0,M10.5.0/3");
    CHECK(iso_time(Time(1767323045678ms)) == "2026-01-02T03:04:05.678Z");
    CHECK(iso_time({}).empty());
    CHECK(dotnet_time(Time(1767323045678ms)) == "2026-01-02T03:04:05.6780000Z");
}

TEST_CASE("one time after the other is the same text as each alone", "[time]") {
    IsoTimes times;
    Time now = noon;
    for (const auto step : {0us, 999us, 1000us, 998'000us, 1us, 999us, 1'000'000us, -3'000'001us}) {
        now += step;
        CHECK(times.text(now) == iso_time(now));
    }
    CHECK(times.text({}).empty());
    CHECK(times.text(noon) == iso_time(noon));
}

TEST_CASE("times of RFC 3339 in UTC are read, to the millisecond", "[time]") {
    CHECK(parse_iso_time(iso_time(noon + 123ms)) == noon + 123ms);
    CHECK(parse_iso_time("1970-01-01T00:01:00.1239999Z") == at(60) + 123ms);
    CHECK(parse_iso_time("1970-01-01T00:01:00.5+00:00") == at(60) + 500ms);
    CHECK(parse_iso_time("1970-01-01T00:01:00Z") == at(60));
    for (const auto* bad :
         {"", "x", "2026-01-02", "1970-01-01T00:01:00", "1970-01-01T00:01:00+02:00", "1970-13-01T00:00:00Z",
          "9999-12-31T23:59:59Z", "1900-01-01T00:00:00Z", "x026-01-02T12:00:00.123Z"})
        CHECK_FALSE(parse_iso_time(bad));
}

TEST_CASE("a day has a text whatever its year", "[time]") {
    std::tm parts{};
    parts.tm_year = 9999 - 1900;
    parts.tm_mon = 11;
    parts.tm_mday = 31;
    CHECK(iso_day(parts) == "9999-12-31");
}

TEST_CASE("dates in mail do not depend on the locale or the time zone", "[time]") {
    const Zone elsewhere("CET-1CEST,M3.5.0,M10.5.0/3");
    CHECK(date_time(Time{}) == "Thu, 1 Jan 1970 00:00:00 +0000");
    CHECK(date_time(at(951'782'399)) == "Mon, 28 Feb 2000 23:59:59 +0000");
    CHECK(date_time(at(951'868'800)) == "Wed, 1 Mar 2000 00:00:00 +0000");
    CHECK(date_time(at(4'102'444'799)) == "Thu, 31 Dec 2099 23:59:59 +0000");
    const std::regex form(
        "(Mon|Tue|Wed|Thu|Fri|Sat|Sun), \\d{1,2} [A-Z][a-z]{2} \\d{4} \\d\\d:\\d\\d:\\d\\d \\+0000");
    for (std::int64_t second = 0; second < 4'000'000'000; second += 12'345'679)
        REQUIRE(std::regex_match(date_time(at(second)), form));
}

TEST_CASE("an HTTP date is read in its preferred form", "[time]") {
    CHECK(parse_http_date("Fri, 02 Jan 2026 12:00:00 GMT") == noon);
    for (const auto* bad : {"", "Fri, 02 Jan 2026 12:00:00", "Fri, 02 Jan 2026 12:00:00 GMT ",
                            "Friday, 02-Jan-26 12:00:00 GMT", "Fri, 31 Dec 9999 23:59:59 GMT"})
        CHECK_FALSE(parse_http_date(bad));
}

TEST_CASE("times for people are by the clock on the wall, with its zone", "[time]") {
    const Zone elsewhere("CET-1CEST,M3.5.0,M10.5.0/3");
    CHECK(local_time(noon) == "2026-01-02 13:00:00 CET");
    CHECK(local_time(noon + 200 * 24h) == "2026-07-21 14:00:00 CEST");
    CHECK(local_time(noon + 999ms) == "2026-01-02 13:00:00 CET");
    CHECK(with_local_times("since 2026-01-02T12:00:00.123Z: no; 2026-01-02T12:00:00Z stays") ==
          "since 2026-01-02 13:00:00 CET: no; 2026-01-02T12:00:00Z stays");
    CHECK(with_local_times("2026-13-02T12:00:00.123Z") == "2026-13-02T12:00:00.123Z");
}

TEST_CASE("how far away a time is", "[time]") {
    const auto said = [](auto difference) { return relative_time(noon + difference, noon); };
    CHECK(said(0s) == "now");
    CHECK(said(45s) == "in 45 s");
    CHECK(said(4min) == "in 4 min");
    CHECK(said(-90min) == "90 min ago");
    CHECK(said(-150min) == "2 h ago");
    CHECK(said(-47h) == "47 h ago");
    CHECK(said(5 * 24h) == "in 5 d");
}

TEST_CASE("how long something takes, in words and as .NET writes it", "[time]") {
    CHECK(span_in_words(119s) == "119 seconds");
    CHECK(span_in_words(2min) == "2 minutes");
    CHECK(span_in_words(119min) == "119 minutes");
    CHECK(span_in_words(2h) == "2 hours");
    CHECK(span_in_words(47h + 59min) == "47 hours");
    CHECK(span_in_words(5 * 24h) == "5 days");
    CHECK(dotnet_span(0s) == "0.00:00:00");
    CHECK(dotnet_span(26h + 3min + 4s) == "1.02:03:04");
}
