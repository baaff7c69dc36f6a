#include "relay/delivery/alarms.h"

#include <catch2/catch.hpp>

#include "tests/unit/stepped_clock.h"

using namespace postern::relay;

namespace {

struct Fixture {
    postern::relay::net::io_context io{1};
    unsigned ticks = 0;
    Time others = Time::max();
    postern::tests::SteppedClock clock;
    Alarms alarms{io, clock, [this] { return others; }, [this] { ++ticks; }};
    const Time now = clock.steady();

    /// So much passes, and the loop does what is to be done then.
    void pass(std::chrono::nanoseconds time) {
        clock.step(time);
        io.restart();
        io.poll();
    }
};

}  // namespace

TEST_CASE("alarms come in the order of their times, and not before") {
    Fixture f;
    auto early = std::make_shared<Destination>(), late = std::make_shared<Destination>();
    f.alarms.set(late, f.now + std::chrono::seconds(2));
    f.alarms.set(early, f.now + std::chrono::seconds(1));
    CHECK_FALSE(f.alarms.take(f.now));
    auto first = f.alarms.take(f.now + std::chrono::seconds(3));
    REQUIRE(first);
    CHECK(first->destination == early);
    CHECK_FALSE(first->site);
    CHECK(f.alarms.take(f.now + std::chrono::seconds(3))->destination == late);
    CHECK_FALSE(f.alarms.take(f.now + std::chrono::seconds(3)));
}

TEST_CASE("a site's earliest alarm is the one that counts, and raises none when it is gone") {
    Fixture f;
    auto site = std::make_shared<Site>("site");
    f.alarms.set(site, f.now + std::chrono::seconds(1));
    f.alarms.set(site, f.now + std::chrono::seconds(5));
    REQUIRE(f.alarms.take(f.now + std::chrono::seconds(9))->site == site);
    CHECK_FALSE(f.alarms.take(f.now + std::chrono::seconds(9)));
    f.alarms.set(site, f.now + std::chrono::seconds(5));
    site.reset();
    auto gone = f.alarms.take(f.now + std::chrono::seconds(9));
    REQUIRE(gone);
    CHECK_FALSE(gone->site);
    CHECK_FALSE(gone->destination);
}

TEST_CASE("one timer rings for alarms and for what else is due, until the stop") {
    Fixture f;
    f.others = f.now + std::chrono::minutes(1);
    f.alarms.arm();
    f.pass(std::chrono::seconds(59));
    CHECK(f.ticks == 0);
    f.pass(std::chrono::seconds(1));
    CHECK(f.ticks == 1);
    f.others = Time::max();
    f.alarms.disarm();
    f.alarms.set(std::make_shared<Destination>(), f.now);
    f.pass(std::chrono::milliseconds(1));
    CHECK(f.ticks == 2);
    f.alarms.stop();
    f.alarms.disarm();
    f.alarms.arm();
    f.pass(std::chrono::hours(2));
    CHECK(f.ticks == 2);
}

TEST_CASE("an alarm goes by the time that never steps") {
    Fixture f;
    f.alarms.set(std::make_shared<Destination>(), f.now + std::chrono::minutes(10));
    f.clock.set_wall(f.now + std::chrono::hours(48));
    f.pass(std::chrono::minutes(9));
    CHECK(f.ticks == 0);
    f.clock.set_wall(f.now - std::chrono::hours(48));
    f.pass(std::chrono::minutes(1));
    CHECK(f.ticks == 1);
}
