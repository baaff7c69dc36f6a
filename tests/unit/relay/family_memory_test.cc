#include "relay/delivery/family_memory.h"

#include <catch2/catch.hpp>

using namespace postern::relay;
using namespace std::chrono_literals;

TEST_CASE("a family is doubted when it fails often enough, longer each time", "[family]") {
    FamilyMemory memory(2);
    Time start{1000h};
    memory.failed(true, start, start + 1s);
    CHECK_FALSE(memory.doubtful(true, start + 1s));
    memory.failed(true, start + 2s, start + 3s);
    CHECK(memory.doubtful(true, start + 3s));
    CHECK_FALSE(memory.doubtful(false, start + 3s));
    CHECK_FALSE(memory.doubtful(true, start + 3min));
    memory.failed(true, start + 3min, start + 3min + 1s);
    CHECK(memory.doubtful(true, start + 6min));
    for (int n = 0; n < 100; ++n) memory.failed(true, start + 24h * n + 1h, start + 24h * n + 2h);
    CHECK_FALSE(memory.doubtful(true, start + 24h * 99 + 4h));
}

TEST_CASE("what failed together counts once, and a success ends it", "[family]") {
    FamilyMemory memory(2);
    Time start{1000h};
    for (int n = 0; n < 10; ++n) memory.failed(false, start, start + 1s);
    CHECK_FALSE(memory.doubtful(false, start + 2s));
    memory.failed(false, start + 2s, start + 3s);
    CHECK(memory.doubtful(false, start + 4s));
    memory.worked(false);
    CHECK_FALSE(memory.doubtful(false, start + 4s));
}
