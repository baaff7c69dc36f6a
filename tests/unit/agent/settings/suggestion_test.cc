#include "agent/settings/suggestion.h"

#include <catch2/catch.hpp>

using postern::agent::nearest;

TEST_CASE("a misspelling suggests the nearest name, another word none") {
    const std::vector<std::string_view> names{"hostname", "state_dir", "listener", "primary", "log"};
    CHECK(nearest("hostnmae", names) == "hostname");
    CHECK(nearest("statedir", names) == "state_dir");
    CHECK(nearest("listner", names) == "listener");
    CHECK(nearest("lgo", names) == "log");
    CHECK(nearest("banana", names).empty());
    CHECK(nearest("x", names).empty());
    CHECK(nearest(std::string(65, 'h'), names).empty());
    CHECK(nearest("hostname", {}).empty());
}
