#include "sync/polling/schedule.h"

#include <catch2/catch.hpp>

#include "sync/limits.h"

using namespace postern;
using namespace postern::sync;
using namespace std::chrono_literals;

namespace {

constexpr base::Moment start{1000h};
constexpr auto every = 300s;
constexpr double middle = 0.5;  // of the spread: the pause as it is

Schedule failed_times(unsigned rounds, std::optional<std::chrono::seconds> retry_after = {}) {
    Schedule schedule(start, every);
    for (unsigned i = 0; i < rounds; ++i) schedule.failed(start, retry_after, middle);
    return schedule;
}

}  // namespace

TEST_CASE("a primary is polled at once, and then so often", "[schedule]") {
    Schedule schedule(start, every);
    CHECK(schedule.due() == start);
    schedule.begin();
    schedule.go_on(start + 3s);
    CHECK(schedule.due() == start + 3s);
    schedule.succeeded(start + 10s, middle);
    CHECK(schedule.due() == start + 10s + every);
}

TEST_CASE("polls are spread over a fifth of the pause", "[schedule]") {
    Schedule schedule(start, every);
    schedule.succeeded(start, 0.0);
    CHECK(schedule.due() == start + 270s);
    schedule.succeeded(start, 0.999);
    CHECK(schedule.due() > start + 329s);
    CHECK(schedule.due() < start + 330s);
    Schedule restless(start, 0s);
    restless.succeeded(start, middle);
    CHECK(restless.due() == start + 1s);
}

TEST_CASE("pauses grow with failures up to the usual one", "[schedule]") {
    CHECK(failed_times(1).due() == start + 15s);
    CHECK(failed_times(2).due() == start + 30s);
    CHECK(failed_times(5).due() == start + 240s);
    CHECK(failed_times(6).due() == start + 300s);
    CHECK(failed_times(100'000).due() == start + 300s);
    Schedule schedule = failed_times(6);
    schedule.succeeded(start, middle);
    schedule.failed(start, {}, middle);
    CHECK(schedule.due() == start + 15s);
}

TEST_CASE("a pause is as long as the primary asks for, within reason", "[schedule]") {
    CHECK(failed_times(1, 100s).due() == start + 100s);
    CHECK(failed_times(1, 3s).due() == start + 15s);
    CHECK(failed_times(1, std::chrono::hours(24 * 365)).due() == start + limits::retry_after);
}

TEST_CASE("a requested round waits for nothing but Retry-After", "[schedule]") {
    Schedule schedule = failed_times(6);
    CHECK_FALSE(schedule.begin());
    schedule.request(start + 1s);
    CHECK(schedule.due() == start + 1s);
    CHECK(schedule.begin());
    CHECK_FALSE(schedule.begin());

    schedule = failed_times(1, 100s);
    schedule.request(start + 1s);
    CHECK(schedule.due() == start + 100s);
    schedule.succeeded(start + 101s, middle);
    schedule.request(start + 102s);
    CHECK(schedule.due() == start + 102s);
}

TEST_CASE("a follow-up comes at once, once", "[schedule]") {
    Schedule schedule(start, every);
    schedule.begin();
    schedule.request_follow_up();
    schedule.succeeded(start + 1s, middle);
    CHECK(schedule.due() == start + 1s);
    schedule.begin();
    schedule.succeeded(start + 2s, middle);
    CHECK(schedule.due() == start + 2s + every);

    schedule.begin();
    schedule.request_follow_up();
    schedule.failed(start, {}, middle);
    CHECK(schedule.due() == start + 15s);
    schedule.begin();  // this is it
    schedule.succeeded(start, middle);
    CHECK(schedule.due() == start + every);
}

TEST_CASE("rejected credentials are not tried again for an hour", "[schedule]") {
    Schedule schedule(start, every);
    CHECK_FALSE(schedule.in_vain(start));
    schedule.rejected(start);
    const base::Moment over = start + rejected_pause;
    CHECK(schedule.due() == start + every);  // to look whether there are others
    CHECK(schedule.in_vain(over - 1ns));
    CHECK_FALSE(schedule.in_vain(over));
    schedule.put_off(start + every);
    CHECK(schedule.due() == start + 2 * every);
    schedule.put_off(over - 1s);
    CHECK(schedule.due() == over);

    SECTION("unless a round is requested") {
        schedule.request(start + 1s);
        CHECK(schedule.due() == start + 1s);
        CHECK_FALSE(schedule.in_vain(start + 1s));
        CHECK(schedule.begin());
        CHECK(schedule.in_vain(start + 1s));
    }
    SECTION("unless they have been taken since") {
        schedule.accepted();
        CHECK_FALSE(schedule.in_vain(start + 1s));
    }
    SECTION("also when something else went wrong since") {
        schedule.failed(start + 1s, {}, middle);
        CHECK(schedule.in_vain(start + 2s));
    }
}

TEST_CASE("a round that was interrupted did not fail", "[schedule]") {
    Schedule schedule(start, every);
    schedule.interrupted(start);
    CHECK(schedule.due() == start + every);
    schedule.failed(start, {}, middle);
    CHECK(schedule.due() == start + 15s);
}

TEST_CASE("who takes the rounds over goes by when all was read last", "[schedule]") {
    Schedule schedule(start, every);
    schedule.resume(start + 1h, {}, middle);
    CHECK(schedule.due() == start + 1h);  // nobody knows
    schedule.resume(start + 1h, 100s, middle);
    CHECK(schedule.due() == start + 1h + 200s);
    schedule.resume(start + 1h, 100s, 0.0);
    CHECK(schedule.due() == start + 1h + 170s);
    schedule.resume(start + 1h, 301s, middle);
    CHECK(schedule.due() == start + 1h);
    schedule.resume(start + 1h, -3600s, middle);  // a clock was set back
    CHECK(schedule.due() == start + 1h + every);
    schedule.set_pause(900s);
    schedule.resume(start + 1h, 100s, middle);
    CHECK(schedule.due() == start + 1h + 800s);
}

TEST_CASE("taking the rounds over is no way around a pause after a failure", "[schedule]") {
    Schedule failed = failed_times(3);
    failed.resume(start, {}, middle);
    CHECK(failed.due() == start + 60s);
    failed.resume(start + 61s, {}, middle);
    CHECK(failed.due() == start + 61s);
    failed.succeeded(start + 62s, middle);
    failed.resume(start + 63s, {}, middle);
    CHECK(failed.due() == start + 63s);

    Schedule busy = failed_times(1, 600s);
    busy.go_on(start);
    busy.resume(start, {}, middle);
    CHECK(busy.due() == start + 600s);
}

TEST_CASE("a round that was requested is so until the rounds are left to somebody else", "[schedule]") {
    Schedule schedule(start, every);
    schedule.request(start);
    schedule.resume(start, 10s, middle);
    CHECK(schedule.due() == start);
    schedule.request_follow_up();
    schedule.leave();
    schedule.resume(start, 10s, middle);
    CHECK(schedule.due() == start + 290s);
    CHECK_FALSE(schedule.begin());
    schedule.succeeded(start + 1s, middle);
    CHECK(schedule.due() == start + 1s + every);
}
