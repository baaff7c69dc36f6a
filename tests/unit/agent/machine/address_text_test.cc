#include "agent/machine/address_text.h"

#include <catch2/catch.hpp>

using namespace postern::agent;

TEST_CASE("hosts with ports") {
    struct Case {
        const char *text, *host;
        unsigned port;
    };
    const auto c =
        GENERATE(Case{"0.0.0.0:25", "0.0.0.0", 25}, Case{"[::]:25", "::", 25},
                 Case{"[2001:db8::1]:587", "2001:db8::1", 587}, Case{"mail.example:1", "mail.example", 1},
                 Case{"mail.example", "mail.example", 26}, Case{"192.0.2.1", "192.0.2.1", 26},
                 Case{"[::1]", "::1", 26});
    CAPTURE(c.text);
    const auto parsed = parse_host_port(c.text, std::uint16_t{26});
    REQUIRE(parsed);
    CHECK(parsed->host == c.host);
    CHECK(parsed->port == c.port);
    CHECK(parse_host_port(format_host_port(*parsed), {})->host == c.host);
}

TEST_CASE("what is no host with a port is refused") {
    const auto* text =
        GENERATE("", ":25", "host:", "host:0", "host:65536", "host:+5", "host:25x", "::1", "[::1", "[x]:25",
                 "[::1]25", "ho st:25", "-host:25", "host..x:25", "a:b:c", "host:25:26");
    CAPTURE(text);
    CHECK_FALSE(parse_host_port(text, std::uint16_t{25}));
}

TEST_CASE("a port is needed where there is no default") { CHECK_FALSE(parse_host_port("192.0.2.1", {})); }

TEST_CASE("address ranges") {
    CHECK(parse_network("192.0.2.10")->prefix == 32);
    CHECK(parse_network("2001:db8::1")->prefix == 128);
    CHECK(parse_network("192.0.2.0/24")->prefix == 24);
    CHECK(parse_network("0.0.0.0/0")->prefix == 0);
    CHECK(parse_network("2001:db8::/32")->address == "2001:db8::");
    const auto* text = GENERATE("", "192.0.2", "192.0.2.0/33", "192.0.2.1/24", "192.0.2.0/", "192.0.2.0/-1",
                                "::/129", "2001:db8::1/32", "host", "192.0.2.0/24/24", "[::1]");
    CAPTURE(text);
    CHECK_FALSE(parse_network(text));
}

TEST_CASE("loopback is 127.0.0.0/8 and ::1") {
    CHECK(is_loopback("127.0.0.1"));
    CHECK(is_loopback("127.9.8.7"));
    CHECK(is_loopback("::1"));
    CHECK(is_loopback("0:0::1"));
    CHECK_FALSE(is_loopback("128.0.0.1"));
    CHECK_FALSE(is_loopback("::"));
    CHECK_FALSE(is_loopback("localhost"));
}

TEST_CASE("DNS servers and domain names") {
    CHECK(is_dns_server("192.0.2.53"));
    CHECK(is_dns_server("127.0.0.1@5353"));
    CHECK(is_dns_server("::1@5353"));
    CHECK_FALSE(is_dns_server("127.0.0.1:5353"));
    CHECK_FALSE(is_dns_server("127.0.0.1@0"));
    CHECK_FALSE(is_dns_server("ns.example"));
    CHECK(is_domain_name("xn--bcher-kva.example"));
    CHECK(is_domain_name("localhost"));
    CHECK_FALSE(
        is_domain_name("b\xc3\xbc"
                       "cher.example"));
    CHECK_FALSE(is_domain_name("a_b.example"));
    CHECK_FALSE(is_domain_name("example."));
    CHECK_FALSE(is_domain_name(std::string(64, 'a')));
}

TEST_CASE("an address has one spelling") {
    CHECK(canonical_ip("2001:DB8:0::1") == "2001:db8::1");
    CHECK(canonical_ip("192.0.2.20") == "192.0.2.20");
    CHECK(canonical_ip("::ffff:192.0.2.20") == "192.0.2.20");
    CHECK(canonical_ip("::FFFF:c000:214") == "192.0.2.20");
    CHECK_FALSE(canonical_ip("[::1]"));
}
