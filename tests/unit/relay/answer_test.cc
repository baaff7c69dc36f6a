#include "relay/answer.h"

#include <catch2/catch.hpp>
#include <stdexcept>
#include <thread>

using namespace postern::relay;

TEST_CASE("of several answers the first counts", "[answer]") {
    Answer<int> answer;
    std::thread other([&] { answer.give([] { return 1; }); });
    other.join();
    answer.give([] { return 2; });
    CHECK(answer.wait() == 1);
}

TEST_CASE("what an answer throws reaches who waits for it", "[answer]") {
    Answer<int> answer;
    answer.give([]() -> int { throw std::runtime_error("broken"); });
    answer.give([] { return 2; });
    CHECK_THROWS_WITH(answer.wait(), "broken");
}
