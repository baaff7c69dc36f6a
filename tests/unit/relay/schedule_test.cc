#include "relay/queue/schedule.h"

#include <catch2/catch.hpp>
#include <limits>

using namespace postern::relay;
using namespace std::chrono_literals;

TEST_CASE("pauses double from the first to the longest", "[schedule]") {
    QueueSettings settings;
    settings.retry_first = 60s;
    settings.retry_max = 4h;
    struct Row {
        unsigned attempts;
        std::chrono::milliseconds pause;
    };
    const Row rows[] = {
        {0, 60s}, {1, 60s}, {2, 120s},  {3, 240s},    {8, 7680s},
        {9, 4h},  {10, 4h}, {1000, 4h}, {65'535, 4h}, {std::numeric_limits<unsigned>::max(), 4h}};
    for (const auto& row : rows) {
        CAPTURE(row.attempts);
        CHECK(pause_after(settings, row.attempts, 0) == row.pause);
        CHECK(pause_after(settings, row.attempts, 0.999) > row.pause);
        CHECK(pause_after(settings, row.attempts, 0.999) <= row.pause + row.pause / 10);
    }
}

TEST_CASE("pauses stay sane with odd settings", "[schedule]") {
    QueueSettings settings;
    settings.retry_first = 600s;
    settings.retry_max = 60s;
    for (unsigned attempts : {1u, 2u, 50u}) {
        CHECK(pause_after(settings, attempts, 0) >= 60s);
        CHECK(pause_after(settings, attempts, 0.5) <= 660s);
    }
    settings.retry_first = 0s;
    settings.retry_max = 0s;
    CHECK(pause_after(settings, 100, 0.5) == 0s);
    settings.retry_first = 1s;
    settings.retry_max = std::chrono::hours(24 * 365);
    CHECK(pause_after(settings, 1000, 0.999) <= std::chrono::hours(24 * 365) * 1.1);
}

TEST_CASE("a destination is left alone for at most ten minutes, or as long as its mail", "[schedule]") {
    QueueSettings settings;
    settings.retry_first = 60s;
    settings.retry_max = 4h;
    CHECK(site_pause(settings, 1, 0.999) <= 10s);
    CHECK(site_pause(settings, 100, 0) == 10min);
    for (unsigned failures = 1; failures < 100; ++failures) {
        CHECK(site_pause(settings, failures, 0) <= pause_after(settings, failures, 0));
        CHECK(site_pause(settings, failures, 0.999) <= 11min);
    }
}

TEST_CASE("a message expires so long after its arrival", "[schedule]") {
    QueueSettings settings;
    settings.expire = 5h;
    Message message;
    message.arrived = Time(100h);
    CHECK(expiry(settings, message) == Time(105h));
    message.envelope.journal = JournalReport::whole;
    CHECK(expiry(settings, message) > Time(100h) + std::chrono::years(90));
}
