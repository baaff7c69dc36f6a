#include "relay/mail/xtext.h"

#include <catch2/catch.hpp>
#include <string>

using namespace postern::relay;
using namespace std::string_literals;

TEST_CASE("xtext", "[xtext]") {
    struct Row {
        std::string text, decoded;
    };
    const Row rows[] = {{"abc", "abc"}, {"a+2Bb", "a+b"},         {"+3D", "="},       {"a+20b", "a b"},
                        {"!~", "!~"},   {"QQ314159", "QQ314159"}, {"<a@b>", "<a@b>"}, {"+7E", "~"}};
    for (const auto& row : rows) CHECK(decode_xtext(row.text) == row.decoded);
    for (const auto& bad : {""s, "a b"s, "a=b"s, "a+"s, "a+2"s, "a+2b"s, "a+2G"s, "+0D+0A"s, "+00"s, "+7F"s,
                            "+80"s, "+FF"s, "a\tb"s, "m\xc3\xbc"s, "a\0"s, "++2B"s}) {
        CAPTURE(bad);
        CHECK_FALSE(decode_xtext(bad));
    }
}

TEST_CASE("the original recipient", "[xtext]") {
    struct Row {
        std::string text, type, address, again;
    };
    const Row rows[] = {
        {"rfc822;bob@example.net", "rfc822", "bob@example.net", "rfc822;bob@example.net"},
        {"RFC822;Bob+2Bx@Example.net", "rfc822", "Bob+x@Example.net", "rfc822;Bob+2Bx@Example.net"},
        {"rfc822;+22a+20b+22@x", "rfc822", "\"a b\"@x", "rfc822;\"a+20b\"@x"},
        {"x400;/c=/a", "", "", ""},
        {"x400;/c+3D/a", "x400", "/c=/a", "x400;/c+3D/a"},
        {"rfc822;a;b", "rfc822", "a;b", "rfc822;a;b"},
        {"utf-8;bob@example.net", "utf-8", "bob@example.net", "utf-8;bob@example.net"},
        {"utf-8;m\\x{FC}@x", "utf-8", "m\xc3\xbc@x", "utf-8;m\\x{FC}@x"},
        {"UTF-8;m\xc3\xbc@x", "utf-8", "m\xc3\xbc@x", "utf-8;m\\x{FC}@x"},
        {"utf-8;\\x{1F4E7}\\x{2B}\\x{5C}@x", "utf-8", "\xf0\x9f\x93\xa7+\\@x",
         "utf-8;\\x{1F4E7}\\x{2B}\\x{5C}@x"},
        {"utf-8;\\x{10FFFF}", "utf-8", "\xf4\x8f\xbf\xbf", "utf-8;\\x{10FFFF}"},
    };
    for (const auto& row : rows) {
        CAPTURE(row.text);
        auto original = parse_original_recipient(row.text, true);
        REQUIRE(original.has_value() == !row.type.empty());
        if (!original) continue;
        CHECK(original->type == row.type);
        CHECK(original->address == row.address);
        CHECK(original->text() == row.again);
        CHECK(parse_original_recipient(row.again, false) == original);
    }
    for (const auto& bad : {""s,
                            ";"s,
                            "rfc822"s,
                            "rfc822;"s,
                            ";a@b"s,
                            "rfc 822;a@b"s,
                            "rfc_822;a@b"s,
                            "rfc822;a b"s,
                            "rfc822;a+0Ab"s,
                            "rfc822;m\xc3\xbc@x"s,
                            "utf-8;"s,
                            "utf-8;a+b"s,
                            "utf-8;a=b"s,
                            "utf-8;a b"s,
                            "utf-8;a\\b"s,
                            "utf-8;\\x{}"s,
                            "utf-8;\\x{A}"s,
                            "utf-8;\\x{0A}"s,
                            "utf-8;\\x{0D}"s,
                            "utf-8;\\x{7F}"s,
                            "utf-8;\\x{85}"s,
                            "utf-8;\\x{fc}"s,
                            "utf-8;\\x{0FC}"s,
                            "utf-8;\\x{D800}"s,
                            "utf-8;\\x{110000}"s,
                            "utf-8;\\x{1000000}"s,
                            "utf-8;\\x{FC"s,
                            "utf-8;\\xFC}"s,
                            "utf-8;m\xfc"s,
                            "utf-8;m\xc3"s,
                            std::string(33, 'a') + ";a"}) {
        CAPTURE(bad);
        CHECK_FALSE(parse_original_recipient(bad, true));
    }
    CHECK_FALSE(parse_original_recipient("utf-8;m\xc3\xbc@x", false));
}
