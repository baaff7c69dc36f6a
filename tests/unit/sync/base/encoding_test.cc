#include "sync/base/encoding.h"

#include <catch2/catch.hpp>

#include "sync/base/random.h"

using namespace postern::base;
using namespace std::string_literals;

TEST_CASE("octets as hexadecimal digits") {
    CHECK(hex("") == "");
    CHECK(hex("\0\x7f\x80\xff"s) == "007f80ff");
    CHECK(hex("\xab\xcd", upper_hex) == "ABCD");
}

TEST_CASE("Base64 goes there and back") {  // RFC 4648 §10
    struct Row {
        std::string octets, text, url;
    };
    for (const auto& row :
         {Row{"", "", ""}, Row{"f", "Zg==", "Zg"}, Row{"fo", "Zm8=", "Zm8"}, Row{"foo", "Zm9v", "Zm9v"},
          Row{"foob", "Zm9vYg==", "Zm9vYg"}, Row{"\xfb\xff\0"s, "+/8A", "-_8A"}}) {
        CHECK(base64(row.octets) == row.text);
        CHECK(base64url(row.octets) == row.url);
        CHECK(from_base64(row.text) == row.octets);
    }
    for (const char* bad : {"Zg", "Zg=", "Z===", "====", "Zg==Zg==", "Zm9v\n", " Zm9", "Zm9-", "Z=9v"}) {
        CAPTURE(bad);
        CHECK_FALSE(from_base64(bad));
    }
}

TEST_CASE("percent-encoding leaves what may stand in a path") {
    CHECK(percent_encoded("a-b.c_d~1@x", "@") == "a-b.c_d~1@x");
    CHECK(percent_encoded("a/b?c d%\r\n\xc3\xa4", "@") == "a%2Fb%3Fc%20d%25%0D%0A%C3%A4");
    CHECK(percent_encoded("/v1/@", "/") == "/v1/%40");
    CHECK(percent_decoded("a%2Fb%3fc+%00") == "a/b?c+\0"s);
    for (const char* bad : {"%", "%4", "a%g0", "%0g", "%-1", "% 1"}) {
        CAPTURE(bad);
        CHECK_FALSE(percent_decoded(bad));
    }
}

TEST_CASE("random octets are as many as asked for, and others each time") {
    CHECK(random_octets(0).empty());
    CHECK(random_octets(32).size() == 32);
    CHECK(random_octets(32) != random_octets(32));
}
