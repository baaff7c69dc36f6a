#include "relay/net/address_range.h"

#include <catch2/catch.hpp>

using namespace postern::relay;

TEST_CASE("address ranges", "[range]") {
    struct Row {
        const char* network;
        unsigned prefix;
        const char* client;
        bool in;
    };
    const Row rows[] = {
        {"192.0.2.10", 32, "192.0.2.10", true},
        {"192.0.2.10", 32, "192.0.2.11", false},
        {"192.0.2.10", 24, "192.0.2.255", true},
        {"192.0.2.0", 24, "192.0.3.0", false},
        {"192.0.2.128", 25, "192.0.2.127", false},
        {"192.0.2.128", 25, "192.0.2.200", true},
        {"10.0.0.0", 9, "10.127.255.255", true},
        {"10.0.0.0", 9, "10.128.0.0", false},
        {"0.0.0.0", 0, "203.0.113.9", true},
        {"0.0.0.0", 0, "2001:db8::1", false},
        {"::", 0, "2001:db8::1", true},
        {"::", 0, "192.0.2.1", false},
        {"192.0.2.10", 32, "::ffff:192.0.2.10", true},
        {"192.0.2.10", 32, "::FFFF:c000:20a", true},
        {"192.0.2.10", 32, "::192.0.2.10", false},
        {"2001:db8::", 32, "2001:DB8:0:0::1", true},
        {"2001:db8::1", 128, "2001:0db8:0000::0001", true},
        {"2001:db8::1", 127, "2001:db8::", true},
        {"2001:db8::1", 127, "2001:db8::2", false},
        {"192.0.2.10", 33, "192.0.2.10", false},
        {"2001:db8::1", 129, "2001:db8::1", false},
        {"nonsense", 0, "192.0.2.10", false},
        {"192.0.2.10", 0, "nonsense", false},
        {"192.0.2.10", 0, "", false},
        {"192.0.2.10", 32, "192.0.2.10 ", false},
        {"192.0.2.10", 32, "192.0.2.010", false},
        {"", 0, "192.0.2.10", false},
    };
    for (const auto& row : rows) {
        CAPTURE(row.network, row.prefix, row.client);
        CHECK(contains(Network{row.network, row.prefix}, row.client) == row.in);
    }
}

TEST_CASE("a range may be written as an IPv4-mapped one", "[range]") {
    CHECK(contains(Network{"::ffff:192.0.2.10", 32}, "192.0.2.10"));
    CHECK_FALSE(contains(Network{"::ffff:192.0.2.10", 32}, "192.0.2.11"));
}
