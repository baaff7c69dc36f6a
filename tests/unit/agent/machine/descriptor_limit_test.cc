#include "agent/machine/descriptor_limit.h"

#include <sys/resource.h>

#include <algorithm>
#include <catch2/catch.hpp>

using namespace postern::agent;

TEST_CASE("the limit of descriptors is raised to what the system allows") {
    rlimit before{}, now{};
    REQUIRE(getrlimit(RLIMIT_NOFILE, &before) == 0);
    const rlimit low{std::min<rlim_t>(before.rlim_cur, 256), before.rlim_max};
    REQUIRE(setrlimit(RLIMIT_NOFILE, &low) == 0);
    CHECK(raise_descriptor_limit());
    REQUIRE(getrlimit(RLIMIT_NOFILE, &now) == 0);
    CHECK(now.rlim_cur == before.rlim_max);
    REQUIRE(setrlimit(RLIMIT_NOFILE, &before) == 0);
}
