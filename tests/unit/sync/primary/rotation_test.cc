#include "sync/primary/rotation.h"

#include <catch2/catch.hpp>

using postern::sync::Rotation;
using Names = std::vector<std::string>;

TEST_CASE("entries take turns", "[soap]") {
    Rotation rotation;
    const Names all{"a", "b", "c", "d", "e"};
    CHECK(rotation.next(all, 2) == Names{"a", "b"});
    CHECK(rotation.next(all, 2) == Names{"c", "d"});
    CHECK(rotation.next(all, 2) == Names{"e", "a"});
    CHECK(rotation.next({"a", "c", "d"}, 2) == Names{"c", "d"});  // one has gone
    CHECK(rotation.next({"a", "dd", "e"}, 1) == Names{"dd"});     // one has come
    CHECK(rotation.next(all, 99) == Names{"e", "a", "b", "c", "d"});
    CHECK(rotation.next({}, 3).empty());
    CHECK(rotation.next(all, 0).empty());
}
