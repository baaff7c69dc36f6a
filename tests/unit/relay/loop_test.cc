#include "relay/loop.h"

#include <pthread.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <catch2/catch.hpp>
#include <mutex>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "relay/durable_mark.h"
#include "relay/net/on_loop.h"
#include "relay/net/timer.h"
#include "sync/base/clock.h"
#include "tests/unit/shortage.h"
#include "tests/unit/stepped_clock.h"

using namespace postern;
using namespace postern::relay;
using namespace std::chrono_literals;

namespace {

struct Troubles : Observer {
    void on(const event::Trouble& event) override {
        const std::lock_guard guard(mutex);
        told.push_back(std::string(text_of(event.where)) + ": " + std::string(event.text));
    }
    std::mutex mutex;
    std::vector<std::string> told;
};

net::awaitable<std::thread::id> whose() { co_return std::this_thread::get_id(); }

net::awaitable<void> throws() {
    throw std::runtime_error("no");
    co_return;
}

net::awaitable<void> wait_for_good(net::io_context& io, const base::Clock& clock, std::shared_ptr<int> held) {
    net::Timer timer(io, clock);
    *held = 1;
    co_await timer.async_wait(net::as_value);
}

net::awaitable<void> wait_there(net::io_context& here, net::io_context& there, const base::Clock& clock,
                                std::shared_ptr<int> held) {
    net::Timer timer(here, clock);
    co_await net::on_loop(there, wait_for_good(there, clock, held));
    *held = 2;
}

}  // namespace

TEST_CASE("a loop answers on its own thread", "[loop]") {
    Troubles troubles;
    // Kept until the loop's thread has ended: that the library counts who has it the thread sanitizer cannot
    // see.
    std::exception_ptr thrown;
    Loop loop(event::Area::delivery, troubles);
    loop.start();
    CHECK(loop.ask([] { return std::this_thread::get_id(); }) != std::this_thread::get_id());
    CHECK(loop.ask([] {
        char name[16];
        pthread_getname_np(pthread_self(), name, sizeof name);
        return std::string(name);
    }) == "delivery");
    try {
        loop.ask([]() -> int { throw std::runtime_error("no"); });
    } catch (...) {
        thrown = std::current_exception();
    }
    REQUIRE(thrown);
    CHECK_THROWS_WITH(std::rethrow_exception(thrown), "no");
    bool done = false;
    loop.finish([](bool& end) -> net::awaitable<void> {
        end = true;
        co_return;
    }(done));
    CHECK(done);
    loop.close();
    loop.join();
    CHECK(troubles.told.empty());
}

TEST_CASE("a coroutine goes on on another loop, and comes back with what that gave", "[loop]") {
    Troubles troubles;
    Loops loops(event::Area::delivery, 2, troubles);
    loops.start();
    std::thread::id here, there, own, back;
    bool thrown = false;
    loops.first().finish([&]() -> net::awaitable<void> {
        here = std::this_thread::get_id();
        own = co_await net::on_loop(*loops.ios()[0], whose());
        there = co_await net::on_loop(*loops.ios()[1], whose());
        try {
            co_await net::on_loop(*loops.ios()[1], throws());
        } catch (const std::runtime_error&) {
            thrown = true;
        }
        back = std::this_thread::get_id();
    }());
    CHECK(own == here);
    CHECK(there != here);
    CHECK(back == here);
    CHECK(thrown);
    loops.close();
    loops.join();
}

TEST_CASE("what waits across loops goes with them, in whatever order", "[loop]") {
    const base::SystemClock clock;
    const bool to_the_first = GENERATE(true, false);
    Troubles troubles;
    const auto held = std::make_shared<int>(0);
    {
        Loops loops(event::Area::delivery, 2, troubles);
        auto& from = *loops.ios()[to_the_first ? 1 : 0];
        auto& to = *loops.ios()[to_the_first ? 0 : 1];
        asio::co_spawn(from, wait_there(from, to, clock, held), [](const std::exception_ptr&) {});
        while (*held == 0) {
            from.poll();
            to.poll();
        }
        loops.close();
        loops.join();
        CHECK(held.use_count() > 1);
    }
    CHECK(*held == 1);
    CHECK(held.use_count() == 1);
}

TEST_CASE("what escapes the work of a loop is told, and it goes on", "[loop]") {
    Troubles troubles;
    Loop loop(event::Area::reception, troubles);
    asio::post(loop.io(), [] { throw std::runtime_error("escaped"); });
    loop.start();
    CHECK(loop.ask([] { return 7; }) == 7);
    loop.close();
    loop.join();
    CHECK(troubles.told == std::vector<std::string>{"reception: escaped"});
}

TEST_CASE("of loops that cannot all be started none goes on") {
    if (geteuid() != 0) return;  // who may give a process an account of its own
    const pid_t child = fork();
    if (child == 0) {
        bool told = false;
        {
            Troubles troubles;
            Loops loops(event::Area::delivery, 2, troubles);
            tests::allow_one_more_thread();
            try {
                loops.start();
            } catch (const std::system_error&) {
                told = true;
            }
        }
        _exit(told ? 0 : 1);
    }
    int status = -1;
    REQUIRE(waitpid(child, &status, 0) == child);
    CHECK(status == 0);
}

TEST_CASE("nobody waits for a loop that is closed", "[loop]") {
    Troubles troubles;
    Loop loop(event::Area::delivery, troubles);  // never started
    std::thread closes([&] { loop.close(); });
    CHECK(loop.ask([] { return 7; }) == 0);
    closes.join();
    CHECK(loop.ask([] { return std::string("answer"); }).empty());
}

TEST_CASE("who waits for a change waits until it is durable, or for the end, or long enough", "[loop]") {
    tests::SteppedClock clock;
    DurableMark mark(clock);
    mark.reached(5);
    mark.reached(3);
    mark.wait(5, 10s);  // comes back at once
    std::atomic<bool> happened = false;
    SECTION("it becomes durable") {
        std::thread commits([&] {
            happened = true;
            mark.reached(6);
        });
        mark.wait(6, 10s);
        CHECK(happened);
        commits.join();
    }
    SECTION("the end") {
        std::thread ends([&] {
            happened = true;
            mark.end();
        });
        mark.wait(6, 10s);
        CHECK(happened);
        ends.join();
        mark.wait(7, 10s);
    }
    SECTION("long enough") {
        const base::Moment begun = clock.now();
        std::thread steps([&] {
            while (!happened) clock.step(1s);
        });
        mark.wait(6, 10s);
        CHECK(clock.now() >= begun + 10s);
        happened = true;
        steps.join();
    }
}
