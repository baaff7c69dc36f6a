#include "agent/program/gate.h"

#include <catch2/catch.hpp>
#include <condition_variable>
#include <future>
#include <mutex>

using namespace postern::agent;

TEST_CASE("nobody is let in before the gate is open, or after it was closed") {
    Gate gate;
    const auto ask = [] { return 7; };
    CHECK_THROWS_AS(gate.while_running(ask), Stopping);
    gate.open();
    CHECK(gate.while_running(ask) == 7);
    gate.close();
    CHECK_THROWS_AS(gate.while_running(ask), Stopping);
}

TEST_CASE("who closes the gate waits for those inside, and wakes those who wait outside") {
    Gate gate;
    gate.open();
    std::promise<void> inside;
    std::atomic<bool> left{false};
    auto visitor = std::async(std::launch::async, [&] {
        gate.while_running([&] {
            inside.set_value();
            std::mutex mutex;
            std::condition_variable_any never;
            std::unique_lock lock(mutex);
            never.wait(lock, gate.closing(), [] { return false; });
            left = true;
        });
    });
    inside.get_future().wait();
    gate.close();
    CHECK(left);
    visitor.get();
}
