#include "relay/mail/address.h"

#include <catch2/catch.hpp>
#include <string>

#include "sync/base/ascii.h"

using namespace postern::relay;
using namespace std::string_literals;

TEST_CASE("paths are taken as RFC 5321 writes them, and a little more", "[address]") {
    struct Row {
        std::string text, local, domain, rest;
    };
    const Row rows[] = {
        {"<>", "", "", ""},
        {"<> SIZE=1", "", "", " SIZE=1"},
        {"<alice@example.com>", "alice", "example.com", ""},
        {"<Alice@EXAMPLE.Com>", "Alice", "example.com", ""},
        {"<alice@example.com> BODY=8BITMIME", "alice", "example.com", " BODY=8BITMIME"},
        {"<alice@example.com>garbage", "alice", "example.com", "garbage"},
        {"<alice@example.com.>", "alice", "example.com", ""},
        {"<a@b>", "a", "b", ""},
        {"<a+b=c@example.com>", "a+b=c", "example.com", ""},
        {"<!#$%&'*+-/=?^_`{|}~@x.y>", "!#$%&'*+-/=?^_`{|}~", "x.y", ""},
        {R"(<"quoted local"@example.com>)", R"("quoted local")", "example.com", ""},
        {R"(<"a>b"@example.com>)", R"("a>b")", "example.com", ""},
        {R"(<"a@b"@example.com>)", R"("a@b")", "example.com", ""},
        {R"(<"a\"b\\c"@example.com>)", R"("a\"b\\c")", "example.com", ""},
        {R"(<""@example.com>)", R"("")", "example.com", ""},
        {"<@one.example:alice@example.com>", "alice", "example.com", ""},
        {"<@one.example,@two.example:alice@example.com>", "alice", "example.com", ""},
        {"<alice@[192.0.2.1]>", "alice", "[192.0.2.1]", ""},
        {"<alice@[IPv6:2001:db8::1]>", "alice", "[ipv6:2001:db8::1]", ""},
        {"<a.b@under_score.example>", "a.b", "under_score.example", ""},
        {"<postmaster@xn--bcher-kva.example>", "postmaster", "xn--bcher-kva.example", ""},
    };
    for (const auto& row : rows) {
        CAPTURE(row.text);
        auto path = parse_path(row.text);
        REQUIRE(path);
        CHECK(path->address.local == row.local);
        CHECK(path->address.domain == row.domain);
        CHECK(path->rest == row.rest);
        CHECK(path->address.null() == (row.local.empty() && row.domain.empty()));
    }
}

TEST_CASE("what is no path is refused", "[address]") {
    const std::string rows[] = {
        "",
        "<",
        ">",
        "alice@example.com",
        "<alice@example.com",
        "alice@example.com>",
        "<alice>",
        "<@>",
        "<@a>",
        "<@a:>",
        "<@a:b>",
        "<@a b:c@d>",
        "<@a,@b>",
        "<alice@>",
        "<@example.com>",
        "< alice@example.com>",
        "<alice@example.com >",
        "<alice @example.com>",
        "<alice@ example.com>",
        "<a@b@c>",
        "<a,b@example.com>",
        "<a;b@example.com>",
        "<a:b@example.com>",
        "<a(b)@example.com>",
        "<a\\b@example.com>",
        "<<a@b>>",
        "<a@b..c>",
        "<a@.b>",
        "<a@b,c>",
        "<a@b:25>",
        "<a@b/c>",
        "<a@[192.0.2.1]:25>",
        "<a@[]>",
        "<a@[1.2.3.4>",
        "<a@1.2.3.4]>",
        "<a@[a b]>",
        "<a@[[1.2.3.4]]>",
        "<a@..>",
        "<a@.>",
        "<\"a@example.com>",
        "<\"a\"b@example.com>",
        "<\"a\\\"@example.com>",
        "<\"a\"\"b\"@example.com>",
        "<\"a\nb\"@example.com>",
        "<\"a\rb\"@example.com>",
        "<\"a\tb\"@example.com>",
        "<\"a\\\rb\"@example.com>",
        "<a\r@example.com>",
        "<a@exam\nple.com>",
        "<a\x01@example.com>",
        "<a\x7f@example.com>",
        "<\"a\x7f\"@example.com>",
        "<a\0b@example.com>"s,
        "<\"a\0b\"@example.com>"s,
        "<a@exa\0mple.com>"s,
    };
    for (const auto& row : rows) {
        CAPTURE(row);
        CHECK_FALSE(parse_path(row));
    }
}

TEST_CASE("an address is bounded", "[address]") {
    const std::string label63(63, 'd');
    const std::string domain253 = label63 + '.' + label63 + '.' + label63 + '.' + std::string(61, 'd');
    auto with = [](const std::string& local, const std::string& domain) {
        return '<' + local + '@' + domain + '>';
    };

    CHECK(parse_path(with(std::string(64, 'l'), domain253)));
    CHECK(parse_path(with(std::string(256, 'l'), "x.y")));
    CHECK_FALSE(parse_path(with(std::string(257, 'l'), "x.y")));
    CHECK_FALSE(parse_path(with('"' + std::string(255, 'l') + '"', "x.y")));
    CHECK(parse_path(with("a", domain253)));
    CHECK(parse_path(with("a", domain253 + '.')));
    CHECK_FALSE(parse_path(with("a", domain253 + 'd')));
    CHECK_FALSE(parse_path(with("a", label63 + 'd')));
    CHECK_FALSE(parse_path(with("a", '[' + std::string(254, '1') + ']')));
    CHECK_FALSE(parse_path("<@" + std::string(300, 'a') + ":b@c>"));
    CHECK_FALSE(parse_path('<' + std::string(1 << 20, 'a')));
}

TEST_CASE("addresses without brackets", "[address]") {
    CHECK(parse_address("alice@Example.com") == Address{"alice", "example.com"});
    for (const char* bad : {"", "<alice@example.com>", "alice", "alice@example.com ", " alice@example.com",
                            "alice@example.com>", "@one:alice@example.com", "a@b c"})
        CHECK_FALSE(parse_address(bad));
}

TEST_CASE("what an address prints is parsed to the same", "[address]") {
    for (const char* text :
         {"<>", "<a@b>", R"(<"a \"b"@example.com>)", "<@x:Bob@EXAMPLE.com.>", "<a@[192.0.2.1]>"}) {
        auto path = parse_path(text);
        REQUIRE(path);
        auto again = parse_path('<' + path->address.text() + '>');
        REQUIRE(again);
        CHECK(again->address == path->address);
        CHECK(again->rest.empty());
    }
    CHECK(Address{}.text().empty());
}

TEST_CASE("the mailbox of an address is its local part without quoting", "[address]") {
    struct Row {
        const char *local, *mailbox;
    };
    const Row rows[] = {
        {"alice", "alice"},       {R"("alice")", "alice"}, {R"("a b")", "a b"}, {R"("a\"b")", "a\"b"},
        {R"("a\\")", "a\\"},      {R"("\a\b")", "ab"},     {R"("")", ""},       {"\"", "\""},
        {R"("a\\\"b")", "a\\\"b"}};
    for (const auto& row : rows) CHECK(Address{row.local, "example.com"}.mailbox() == row.mailbox);
}

TEST_CASE("domain names", "[address]") {
    for (const char* good : {"a", "example.com", "1.example", "a-b.c_d", "xn--p1ai"})
        CHECK(is_domain_name(good));
    for (const char* bad : {"", ".", "a.", ".a", "a..b", "a b", "[1.2.3.4]", "m\xc3\xbc", "a:25", "a/b", "*"})
        CHECK_FALSE(is_domain_name(bad));
    CHECK(postern::base::lower("AbC-\xc3\x84") == "abc-\xc3\x84");
}

TEST_CASE("addresses in UTF-8", "[address]") {
    struct Row {
        std::string text, local, domain;
    };
    const Row rows[] = {
        {"m\xc3\xbcller@example.com", "m\xc3\xbcller", "example.com"},
        {"\"m \xc3\xbc\"@example.com", "\"m \xc3\xbc\"", "example.com"},
        {"a@m\xc3\xbcller.example", "a", "xn--mller-kva.example"},
        {"a@M\xc3\x9cLLER.Example.", "a", "xn--mller-kva.example"},
        {"a@mu\xcc\x88ller.example", "a", "xn--mller-kva.example"},  // u and a combining diaeresis
        {"a@fa\xc3\x9f.example", "a", "xn--fa-hia.example"},
        {"\xe7\x94\xa8\xe6\x88\xb7@\xe4\xbe\x8b\xe5\xad\x90.example", "\xe7\x94\xa8\xe6\x88\xb7",
         "xn--fsqu00a.example"},
        {"\xf0\x9f\x93\xa7@example.com", "\xf0\x9f\x93\xa7", "example.com"},
    };
    for (const auto& row : rows) {
        CAPTURE(row.text);
        auto address = parse_address(row.text);
        REQUIRE(address);
        CHECK(address->local == row.local);
        CHECK(address->domain == row.domain);
        auto path = parse_path('<' + row.text + '>');
        REQUIRE(path);
        CHECK(path->address == *address);
    }
    const std::string bad[] = {
        "a\xff@example.com",              // no UTF-8
        "a\xc3@example.com",              // cut short
        "a\xc0\x80@example.com",          // overlong NUL
        "a\xed\xa0\x80@example.com",      // a surrogate
        "a\xf4\x90\x80\x80@example.com",  // beyond U+10FFFF
        "a\xc2\x85@example.com",          // NEL, a control character
        "\"a\xc2\x80\"@example.com",
        "a@m\xfcller.example",
        "a@\xe2\x84\x80.example",  // maps to "a/c"
        "a@x\xe2\x80\xae.example",
        "a@\xc2\xad.example",  // a soft hyphen, which maps to nothing
        "a@[\xc3\xbc]",
        "a@xn--\xc3\xbc.example",
    };
    for (const auto& text : bad) {
        CAPTURE(text);
        CHECK_FALSE(parse_address(text));
        CHECK_FALSE(parse_path('<' + text + '>'));
    }
    CHECK_FALSE(parse_path("<@m\xc3\xbc.example:a@b>"));
    std::string long_local;
    while (long_local.size() < 256) long_local += "\xc3\xbc";
    CHECK(parse_address(long_local + "@x.y"));
    CHECK_FALSE(parse_address(long_local + "x@x.y"));
}

TEST_CASE("a mailbox is quoted where it has to be", "[address]") {
    for (const char* mailbox :
         {"alice", "a.b", "a b", "a\"b", "a\\", "", "a@b", "m\xc3\xbc", "\"alice\"", "a>b"}) {
        std::string local = quoted_local_part(mailbox);
        auto address = parse_address(local + "@x.y");
        REQUIRE(address);
        CHECK(address->mailbox() == mailbox);
    }
    CHECK(quoted_local_part("a.b+c=d") == "a.b+c=d");
}
