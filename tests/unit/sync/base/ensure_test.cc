#include "sync/base/ensure.h"

#include <catch2/catch.hpp>

#include "tests/unit/broken_contract.h"

using postern::tests::Ended;
using postern::tests::ended_after;

TEST_CASE("a broken contract is told and ends the process") {
    const auto with = [](bool holds) { return ended_after([holds] { ENSURE(holds, "the sky is above"); }); };
    const Ended broken = with(false);
    CHECK(broken.signal == SIGABRT);
    CHECK(broken.said.find("the sky is above") != std::string::npos);
    CHECK(broken.said.find("ensure_test.cc") != std::string::npos);
    const Ended kept = with(true);
    CHECK(kept.signal == 0);
    CHECK(kept.said.empty());
}
