#include "relay/net/timer.h"

#include <catch2/catch.hpp>
#include <optional>
#include <vector>

#include "tests/unit/stepped_clock.h"

using namespace postern;
using namespace std::chrono_literals;
using relay::net::io_context;
using relay::net::Timer;

namespace {

struct World {
    io_context io;
    tests::SteppedClock clock;
    std::vector<std::string> told;

    void wait(Timer& timer, std::string name) {
        timer.async_wait([this, name = std::move(name)](std::error_code error) {
            told.push_back(name + (error ? " in vain" : " over"));
        });
    }
    void step(base::Moment::duration time) {
        clock.step(time);
        poll();
    }
    void poll() {
        io.restart();
        io.poll();
    }
};

using Told = std::vector<std::string>;

}  // namespace

TEST_CASE("a timer ends when the clock it was given says so", "[timer]") {
    World world;
    Timer timer(world.io, world.clock);
    timer.expires_after(7 * 24h);
    CHECK(timer.expiry() == world.clock.now() + 7 * 24h);
    world.wait(timer, "a week");
    world.step(7 * 24h - 1ns);
    CHECK(world.told.empty());
    CHECK(world.clock.next() == timer.expiry());
    world.step(1ns);
    CHECK(world.told == Told{"a week over"});
    world.wait(timer, "again");  // it is behind us
    world.poll();
    CHECK(world.told == Told{"a week over", "again over"});
    CHECK(world.clock.next() == base::Moment::max());
}

TEST_CASE("a timer that is set anew, called off or gone rings no more", "[timer]") {
    World world;
    Timer timer(world.io, world.clock);
    timer.expires_after(1s);
    world.wait(timer, "first");
    timer.expires_after(3s);
    world.poll();
    CHECK(world.told == Told{"first in vain"});
    world.wait(timer, "second");
    world.step(2s);
    CHECK(world.told.size() == 1);
    timer.cancel();
    world.poll();
    CHECK(world.told.back() == "second in vain");
    {
        Timer other(world.io, world.clock);
        other.expires_after(500ms);
        world.wait(other, "third");
    }
    world.step(500ms);
    CHECK(world.told.back() == "third in vain");
    world.step(500ms);
    CHECK(world.told.size() == 3);
}

TEST_CASE("a time that is past ends a wait at once, and one that was never set never", "[timer]") {
    World world;
    Timer past(world.io, world.clock), never(world.io, world.clock);
    past.expires_at(world.clock.now() - 1h);
    world.wait(past, "past");
    world.wait(never, "never");
    world.poll();
    CHECK(world.told == Told{"past over"});
    world.step(24h * 365);
    CHECK(world.told.size() == 1);
}

TEST_CASE("timers ring in the order of their times, each at its own", "[timer]") {
    World world;
    Timer late(world.io, world.clock), early(world.io, world.clock);
    late.expires_after(2h);
    early.expires_after(1h);
    world.wait(late, "late");
    world.wait(early, "early");
    world.step(3h);
    CHECK(world.told == Told{"early over", "late over"});
}

TEST_CASE("a coroutine waits by the clock", "[timer]") {
    World world;
    Timer timer(world.io, world.clock);
    timer.expires_after(1h);
    std::optional<bool> came;
    asio::co_spawn(
        world.io,
        [&]() -> relay::net::awaitable<bool> {
            auto [error] = co_await timer.async_wait(relay::net::as_value);
            co_return !error;
        },
        [&](const std::exception_ptr&, bool in_time) { came = in_time; });
    world.poll();
    CHECK_FALSE(came.has_value());
    world.step(1h);
    CHECK(came == true);
}

TEST_CASE("the machine's clock goes by the kernel's timers", "[timer]") {
    io_context io;
    const base::SystemClock clock;
    CHECK(clock.alarms() == nullptr);
    Timer timer(io, clock);
    timer.expires_after(1ms);
    std::error_code result = std::make_error_code(std::errc::io_error);
    timer.async_wait([&](std::error_code error) { result = error; });
    io.run();
    CHECK_FALSE(result);
    CHECK(clock.now() >= timer.expiry());
}
