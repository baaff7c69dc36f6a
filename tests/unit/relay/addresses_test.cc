#include "relay/net/addresses.h"

#include <catch2/catch.hpp>

#include "tests/unit/shortage.h"

using namespace postern::relay;
using namespace postern::tests;

TEST_CASE("addresses of this machine that cannot be listed at this moment are those of before",
          "[addresses]") {
    if (sanitized) return;
    OwnAddresses own;
    const auto before = own.list();
    REQUIRE_FALSE(before.empty());
    const NoDescriptors none;
    CHECK(own.list() == before);
    CHECK_THROWS_AS(OwnAddresses(), std::system_error);
}

TEST_CASE("nobody's name leads to this machine, however short it is of descriptors", "[addresses]") {
    OwnAddresses own;
    for (const auto& one : own.list()) {
        CAPTURE(one.to_string());
        CHECK(must_ignore({}, own, one) != plain(one).is_loopback());
        if (sanitized) continue;
        const NoDescriptors none;
        CHECK(must_ignore({}, own, one) != plain(one).is_loopback());
    }
    CHECK_FALSE(must_ignore({}, own, asio::ip::make_address("192.0.2.1")));
}
