#include "relay/delivery/line.h"

#include <catch2/catch.hpp>
#include <string>

using namespace postern::relay;

namespace {

Job job(const std::string& name, bool not_first = false) {
    Job out;
    out.route = RouteKey::of(name);
    out.not_first = not_first;
    return out;
}

std::string order(Line& line) {
    std::string out;
    while (!line.empty()) out += line.pop().route.text();
    return out;
}

}  // namespace

TEST_CASE("small mail passes the further jobs of a large mailing, which do not starve", "[line]") {
    Line line;
    line.push(job("L"));
    for (int times = 0; times < 3; ++times) line.push(job("l", true));
    for (const char* name : {"a", "b", "c", "d", "e", "f", "g"}) line.push(job(name));
    CHECK(line.size() == 11);
    CHECK(order(line) == "Lablcdelfgl");
}

TEST_CASE("without small mail a large mailing goes on at full speed", "[line]") {
    Line line;
    for (int times = 0; times < 5; ++times) line.push(job("l", true));
    line.push(job("a"));
    CHECK(order(line) == "alllll");
}

TEST_CASE("what was in hand goes first, and what is not wanted comes out", "[line]") {
    Line line;
    line.push(job("a"));
    line.push(job("b", true));
    line.push(job("c"));
    line.push_front(job("x"));
    auto out = line.extract(
        [](const Job& one) { return one.route == RouteKey::of("a") || one.route == RouteKey::of("b"); });
    REQUIRE(out.size() == 2);
    CHECK(out[0].route.text() == "a");
    CHECK(out[1].route.text() == "b");
    CHECK(order(line) == "xc");
    line.push(job("d"));
    line.push(job("e", true));
    CHECK(line.drain().size() == 2);
    CHECK(line.empty());
}

TEST_CASE("domains take turns, each in its own order", "[line]") {
    Line line;
    auto add = [&](const std::string& route, unsigned number) {
        Job one = job(route);
        one.suspect = std::to_string(number);
        line.push(std::move(one));
    };
    for (unsigned n = 0; n < 4; ++n) add("L", n);
    add("s", 0);
    add("t", 0);
    add("s", 1);
    std::string out;
    while (!line.empty()) {
        Job one = line.pop();
        out += one.route.text() + one.suspect;
    }
    CHECK(out == "L0s0t0L1s1L2L3");
    add("s", 0);
    CHECK(line.extract([](const Job& one) { return one.route == RouteKey::of("s"); }).size() == 1);
    CHECK(line.empty());
    add("s", 1);
    CHECK(line.size() == 1);
    CHECK(line.pop().suspect == "1");
}
