#include "relay/delivery/newcomers.h"

#include <catch2/catch.hpp>

using namespace postern::relay;

namespace {

Newcomers::Where at(unsigned host, const std::string& network = "net") {
    return {network + '.' + std::to_string(host), network};
}

}  // namespace

TEST_CASE("newcomers have a part of all connections, an address and a network a part of that",
          "[newcomers]") {
    Newcomers newcomers;
    newcomers.limit(100, 5);
    for (int n = 0; n < 5; ++n) {
        CHECK(newcomers.room(at(1)));
        newcomers.begin(at(1));
    }
    CHECK_FALSE(newcomers.room(at(1)));
    CHECK(newcomers.room(at(2)));
    for (unsigned host = 2; host < 17; ++host) newcomers.begin(at(host));
    CHECK_FALSE(newcomers.room(at(20)));
    CHECK(newcomers.room(at(20, "other")));
    CHECK_FALSE(newcomers.crowded());
    for (unsigned n = 0; n < 50; ++n) newcomers.begin(at(1, "n" + std::to_string(n)));
    CHECK(newcomers.crowded());
    CHECK_FALSE(newcomers.room(at(20, "other")));
    newcomers.end(at(1));
    CHECK(newcomers.room(at(20, "other")));
    CHECK(newcomers.room(at(1)));
    newcomers.end(at(1), 1000);
    newcomers.end(at(1, "unknown"));
    CHECK(newcomers.count() == 0);
}

TEST_CASE("more is for an address with each site there that turns out well", "[newcomers]") {
    Newcomers newcomers;
    newcomers.limit(1000, 2);
    newcomers.begin(at(1));
    newcomers.begin(at(1));
    CHECK_FALSE(newcomers.room(at(1)));
    newcomers.good(at(1));
    CHECK(newcomers.room(at(1)));
    newcomers.bad(at(1));
    CHECK_FALSE(newcomers.room(at(1)));
    for (int n = 0; n < 5000; ++n) newcomers.good(at(1));
    CHECK(newcomers.room(at(1)));
}

TEST_CASE("however few there are, one address leaves some to others", "[newcomers]") {
    Newcomers newcomers;
    newcomers.limit(8, 20);
    for (unsigned host = 1; host <= 3; ++host) {
        CHECK(newcomers.room(at(host)));
        newcomers.begin(at(host));
        CHECK_FALSE(newcomers.room(at(host)));
    }
    CHECK_FALSE(newcomers.room(at(4)));
    CHECK(newcomers.room(at(4, "other")));
}

TEST_CASE("with few connections one is a newcomer's all the same", "[newcomers]") {
    Newcomers newcomers;
    newcomers.limit(1, 20);
    CHECK(newcomers.room(at(1)));
    newcomers.begin(at(1));
    CHECK_FALSE(newcomers.room(at(1)));
    CHECK_FALSE(newcomers.room(at(2, "other")));
    newcomers.end(at(1));
    CHECK(newcomers.room(at(2, "other")));
}
