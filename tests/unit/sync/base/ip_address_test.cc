#include "sync/base/ip_address.h"

#include <catch2/catch.hpp>

using namespace postern::base;

namespace {

IpAddress address(const char* text) {
    const auto parsed = IpAddress::parse(text);
    REQUIRE(parsed);
    return *parsed;
}

}  // namespace

TEST_CASE("IP literals, and how they are usually spelt") {
    struct Row {
        const char *literal, *text, *plain;
        unsigned bits;
    };
    for (const auto& row : {Row{"192.0.2.1", "192.0.2.1", "192.0.2.1", 32}, Row{"::1", "::1", "::1", 128},
                            Row{"2001:DB8:0::1", "2001:db8::1", "2001:db8::1", 128},
                            Row{"::ffff:192.0.2.1", "::ffff:192.0.2.1", "192.0.2.1", 128},
                            Row{"::FFFF:c000:201", "::ffff:192.0.2.1", "192.0.2.1", 128},
                            Row{"::192.0.2.1", "::192.0.2.1", "::192.0.2.1", 128}}) {
        CAPTURE(row.literal);
        CHECK(address(row.literal).text() == row.text);
        CHECK(address(row.literal).bits() == row.bits);
        CHECK(address(row.literal).plain() == address(row.plain));
        CHECK(is_ip_literal(row.literal));
    }
    for (std::string_view bad : {"", "[::1]", "192.0.2", "192.0.2.256", "host", "1.2.3.4.5", "::1%lo",
                                 "192.0.2.1/24", " 192.0.2.1", "192.0.2.010"})
        CHECK_FALSE(is_ip_literal(bad));
    CHECK_FALSE(is_ip_literal(std::string_view("192.0.2.1\0x", 11)));
    CHECK_FALSE(is_ip_literal(std::string(1000, '1')));
}

TEST_CASE("an address is in a network by its first bits") {
    struct Row {
        const char* network;
        unsigned prefix;
        const char* address;
        bool in;
    };
    for (const auto& row :
         {Row{"192.0.2.128", 25, "192.0.2.127", false}, Row{"192.0.2.128", 25, "192.0.2.200", true},
          Row{"0.0.0.0", 0, "203.0.113.9", true}, Row{"0.0.0.0", 0, "::1", false},
          Row{"192.0.2.1", 32, "192.0.2.1", true}, Row{"192.0.2.1", 33, "192.0.2.1", false},
          Row{"2001:db8::1", 127, "2001:db8::", true}, Row{"2001:db8::1", 127, "2001:db8::2", false},
          Row{"2001:db8::1", 129, "2001:db8::1", false}}) {
        INFO(row.address << " in " << row.network << '/' << row.prefix);
        CHECK(address(row.address).in(address(row.network), row.prefix) == row.in);
    }
    CHECK(address("192.0.2.1").has_bits_beyond(24));
    CHECK_FALSE(address("192.0.2.0").has_bits_beyond(24));
    CHECK(address("2001:db8::1").has_bits_beyond(127));
    CHECK_FALSE(address("2001:db8::1").has_bits_beyond(128));
}

TEST_CASE("an IPv6 literal is told from IPv4 and from host names") {
    for (const char* text : {"::", "2001:db8::1", "::ffff:192.0.2.1", "fe80::1%lo"})
        CHECK(is_v6_literal(text));
    for (const char* text : {"", "192.0.2.1", "host.example"}) CHECK_FALSE(is_v6_literal(text));
}

TEST_CASE("loopback addresses") {
    for (const char* text : {"127.0.0.1", "127.9.8.7", "::1"}) CHECK(address(text).is_loopback());
    for (const char* text : {"128.0.0.1", "::", "1::1", "::ffff:127.0.0.1"})
        CHECK_FALSE(address(text).is_loopback());
}

TEST_CASE("a socket's address has host and port") {
    for (const char* text : {"192.0.2.1", "2001:db8::1"}) {
        const auto socket = SocketAddress::of(text, 2525);
        REQUIRE(socket);
        CHECK(socket->port() == 2525);
        CHECK(IpAddress::of(socket->storage) == address(text));
    }
    CHECK_FALSE(SocketAddress::of("localhost", 25));
    CHECK_FALSE(IpAddress::of(sockaddr_storage{}));
    CHECK(SocketAddress{}.port() == 0);
}
