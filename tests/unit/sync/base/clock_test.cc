#include "sync/base/clock.h"

#include <catch2/catch.hpp>
#include <thread>

#include "tests/unit/stepped_clock.h"

using namespace postern;
using namespace std::chrono_literals;

TEST_CASE("the machine's times pass alike", "[clock]") {
    const base::SystemClock clock;
    const auto now = clock.now();
    const auto steady = clock.steady();
    while (clock.now() < now + 2ms) std::this_thread::yield();
    CHECK(clock.steady() >= steady + 2ms);
    CHECK(clock.steady() - clock.wall() < 1min);
    CHECK(clock.on_the_wall(clock.steady() + 1h) - clock.wall() > 59min);
}

TEST_CASE("a wall that is set leaves the other times alone", "[clock]") {
    tests::SteppedClock clock;
    const auto now = clock.now();
    const auto steady = clock.steady();
    const auto due = steady + 1h;
    CHECK(clock.on_the_wall(due) == clock.wall() + 1h);
    clock.set_wall(clock.wall() - 48h);
    CHECK(clock.now() == now);
    CHECK(clock.steady() == steady);
    CHECK(clock.on_the_wall(due) == clock.wall() + 1h);
    clock.step(30min);
    CHECK(clock.now() == now + 30min);
    CHECK(clock.steady() == steady + 30min);
    CHECK(clock.on_the_wall(due) == clock.wall() + 30min);
}

TEMPLATE_TEST_CASE("a thread waits until it is woken, told to stop, or late", "[clock]", base::SystemClock,
                   tests::SteppedClock) {
    const TestType clock;
    std::mutex mutex;
    std::condition_variable_any woken;
    bool done = false;
    std::stop_source stop;
    const auto wait = [&](base::Moment until) {
        std::unique_lock lock(mutex);
        return clock.wait_until(woken, lock, stop.get_token(), until, [&] { return done; });
    };
    CHECK_FALSE(wait(clock.now()));
    SECTION("woken") {
        std::jthread other([&] {
            const std::lock_guard lock(mutex);
            done = true;
            woken.notify_all();
        });
        CHECK(wait(clock.now() + 1h));
    }
    SECTION("to stop") {
        std::jthread other([&] { stop.request_stop(); });
        CHECK_FALSE(wait(base::Moment::max()));
    }
}

TEST_CASE("a thread that waits goes on when the clock is stepped", "[clock]") {
    tests::SteppedClock clock;
    std::mutex mutex;
    std::condition_variable_any woken;
    std::jthread other([&, until = clock.now() + 1h] {
        std::unique_lock lock(mutex);
        clock.wait_until(woken, lock, {}, until, [] { return false; });
    });
    clock.step(1h);
    other.join();
}
