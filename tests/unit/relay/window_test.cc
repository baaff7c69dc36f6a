#include "relay/delivery/window.h"

#include <catch2/catch.hpp>

using namespace postern::relay;
using namespace std::chrono_literals;

TEST_CASE("a window opens with a few, grows with success and shrinks to what stands", "[window]") {
    Window window(20);
    CHECK(window.size() == 5);
    for (int times = 0; times < 5; ++times) window.good();
    CHECK(window.size() == 5);  // growth is by one for as many as it is wide
    window.good();
    CHECK(window.size() == 6);
    for (int times = 0; times < 1000; ++times) window.good();
    CHECK(window.size() == 20);
    window.bad(7);
    CHECK(window.size() == 7);
    window.bad(12);
    CHECK(window.size() == 7);  // what stands does not widen it
    window.bad(0);
    CHECK(window.size() == 1);
    window.halve();
    CHECK(window.size() == 1);
}

TEST_CASE("a window keeps to what is configured", "[window]") {
    CHECK(Window(1).size() == 1);
    CHECK(Window(0).size() == 1);
    Window window(3);
    for (int times = 0; times < 100; ++times) window.good();
    CHECK(window.size() == 3);
    window.limit(2);
    CHECK(window.size() == 2);
    window.limit(9);
    for (int times = 0; times < 3; ++times) window.good();
    CHECK(window.size() == 3);
}

TEST_CASE("a pace lets a second's worth go at once, then one by one", "[pace]") {
    Time now{1000h};
    Pace free;
    for (int times = 0; times < 100; ++times) free.take(now);
    CHECK(free.wait(now) == Time::duration::zero());

    Pace pace;
    pace.limit(600);  // ten a second
    unsigned at_once = 0;
    for (; pace.wait(now) == Time::duration::zero(); ++at_once) pace.take(now);
    CHECK(at_once >= 10);
    CHECK(at_once <= 11);
    unsigned in_a_minute = 0;
    for (Time end = now + 60s; now < end; now += 10ms)
        while (pace.wait(now) == Time::duration::zero()) {
            pace.take(now);
            ++in_a_minute;
        }
    CHECK(in_a_minute >= 598);
    CHECK(in_a_minute <= 601);

    Pace slow;
    slow.limit(1);
    slow.take(now);
    CHECK(slow.wait(now) == 59s);
    CHECK(slow.wait(now + 59s) == Time::duration::zero());
}

TEST_CASE("a pause holds whatever the pace", "[pace]") {
    Time now{1000h};
    Pace pace;
    pace.pause(now + 30s);
    CHECK(pace.wait(now) == 30s);
    pace.pause(now + 10s);  // does not end the longer one
    CHECK(pace.wait(now + 10s) == 20s);
    CHECK(pace.wait(now + 31s) == Time::duration::zero());
}
