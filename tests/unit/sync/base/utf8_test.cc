#include "sync/base/utf8.h"

#include <catch2/catch.hpp>

using namespace postern::base;

TEST_CASE("characters are taken and written alike") {
    for (char32_t c : {0x1u, 0x7fu, 0x80u, 0x7ffu, 0x800u, 0xd7ffu, 0xe000u, 0xffffu, 0x10000u, 0x10ffffu}) {
        std::string text;
        append_character(text, c);
        std::string_view rest = text;
        CHECK(take_character(rest) == c);
        CHECK(rest.empty());
        for (std::size_t cut = 1; cut < text.size(); ++cut) CHECK_FALSE(is_utf8(text.substr(0, cut)));
    }
    CHECK(is_utf8("m\xc3\xbc\n"));
    CHECK_FALSE(is_printable_utf8("m\xc3\xbc\n"));
    CHECK_FALSE(is_printable_utf8("\xc2\x85"));
    CHECK(is_printable_utf8("\xc2\xa0"));
    CHECK(is_ascii("\x7f"));
    CHECK_FALSE(is_ascii("a\x80"));
}

TEST_CASE("what is no character is left where it is") {
    for (std::string_view text : {"\x80",
                                  "\xbf"
                                  "a",
                                  "\xc0\x80", "\xc1\xbf", "\xc3",
                                  "\xc3"
                                  "a",
                                  "\xe0\x9f\xbf", "\xed\xa0\x80", "\xed\xbf\xbf", "\xf0\x8f\xbf\xbf",
                                  "\xf4\x90\x80\x80", "\xf5\x80\x80\x80", "\xff", ""}) {
        std::string_view rest = text;
        CHECK_FALSE(take_character(rest));
        CHECK(rest == text);
        CHECK(is_utf8(text) == text.empty());
    }
}
