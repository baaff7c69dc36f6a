#include "sync/base/ascii.h"

#include <catch2/catch.hpp>

using namespace postern::base;

TEST_CASE("only the 26 letters and ten digits of ASCII are such") {
    unsigned digits = 0, letters = 0;
    for (int octet = -128; octet < 128; ++octet) {
        const char c = static_cast<char>(octet);
        digits += is_digit(c);
        letters += is_letter(c);
        CHECK(is_letter_or_digit(c) == (is_digit(c) || is_letter(c)));
    }
    CHECK(digits == 10);
    CHECK(letters == 52);
    CHECK(is_digits("0129"));
    for (const char* text : {"", " 1", "1 ", "-1", "1a", "1\xc2\xb2"}) CHECK_FALSE(is_digits(text));
}

TEST_CASE("case is a matter of ASCII letters alone") {
    CHECK(lower("AbZ@[`{09-\xc3\x84") == "abz@[`{09-\xc3\x84");
    struct Row {
        const char *a, *b;
        bool equal;
    };
    for (const auto& row :
         {Row{"", "", true}, Row{"AbC", "aBc", true}, Row{"abc", "abcd", false}, Row{"abcd", "abc", false},
          Row{"@", "`", false}, Row{"[", "{", false}, Row{"\xc3\x84", "\xc3\xa4", false}}) {
        INFO(row.a << " and " << row.b);
        CHECK(equal_ignoring_case(row.a, row.b) == row.equal);
    }
}

TEST_CASE("blanks go from both ends and stay in the middle") {
    struct Row {
        const char *text, *trimmed;
    };
    for (const auto& row :
         {Row{"", ""}, Row{" \t ", ""}, Row{"a", "a"}, Row{"\ta b \t", "a b"}, Row{" \r\na", "\r\na"}})
        CHECK(trim(row.text) == row.trimmed);
    CHECK(trim("\r\n a \r\n", " \t\r\n") == "a");
    CHECK(trim("\ta ", " ") == "\ta");
    const std::string_view blank = "  ";
    CHECK(trim(blank).data() == blank.data() + 2);
}
