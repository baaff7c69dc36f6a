#include "sync/base/domain_name.h"

#include <catch2/catch.hpp>

using postern::base::DomainName;
using postern::base::is_host_name;

namespace {

std::string form(std::string_view name) {
    const auto parsed = DomainName::parse(name);
    return parsed ? parsed->text() : std::string();
}

}  // namespace

TEST_CASE("a domain name has one form wherever it comes from", "[domain]") {
    CHECK(form("Example.COM.") == "example.com");
    CHECK(form("B\xc3\x9c"
               "cher.example") == "xn--bcher-kva.example");
    CHECK(form("XN--BCHER-KVA.example") == "xn--bcher-kva.example");
    CHECK(form("_x.example") == "_x.example");
    CHECK(form("stra\xc3\x9f"
               "e.example") == "xn--strae-oqa.example");
}

TEST_CASE("names that were registered by the rules of 2003 are names", "[domain]") {
    CHECK(form("\xe2\x98\x95.example") == "xn--53h.example");
    CHECK(form("i\xe2\x9d\xa4.example") == "xn--i-7iq.example");
    CHECK_FALSE(form("\xd9\x85\xd9\x80.example").empty());  // with U+0640
}

TEST_CASE("no name becomes another one", "[domain]") {
    CHECK(form("a\xe2\x80\x8d"
               "b.example") != "ab.example");             // ZWJ
    CHECK(form("\xe2\x98\x95\xc3\x9f.example").empty());  // would become "ss"
}

TEST_CASE("what is no domain name", "[domain]") {
    for (const std::string& bad :
         {std::string(), std::string("."), std::string("a..b"), std::string(".a"), std::string("a b"),
          std::string("a/b"), std::string("a\r\nX: y"), std::string(64, 'a'), std::string("\xff\xfe.example"),
          std::string(254, 'a'), std::string("a\0b", 3), std::string(5000, '\xc3')}) {
        CAPTURE(bad);
        const auto parsed = DomainName::parse(bad);
        REQUIRE_FALSE(parsed);
        CHECK_FALSE(parsed.error().empty());
    }
}

TEST_CASE("host names are the stricter ones", "[domain]") {
    for (const char* good : {"a", "a-b.example", "1.example", "xn--p1ai", "a--b"}) CHECK(is_host_name(good));
    for (const char* bad : {"a_b", "-a", "a-", "a.-b", "a-.b", "a.", ""}) CHECK_FALSE(is_host_name(bad));
}
