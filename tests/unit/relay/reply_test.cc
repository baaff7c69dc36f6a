#include "relay/mail/reply.h"

#include <catch2/catch.hpp>
#include <optional>
#include <string>
#include <vector>

using namespace postern::relay;
using namespace std::string_literals;
using Step = ReplyParser::Step;

namespace {

/// Feeds lines until the reply is complete or found malformed; fails when it is neither.
std::optional<Reply> parse(const std::vector<std::string>& lines) {
    ReplyParser parser;
    for (std::size_t at = 0; at < lines.size(); ++at) switch (parser.feed(lines[at])) {
            case Step::more: break;
            case Step::complete: REQUIRE(at + 1 == lines.size()); return parser.take();
            case Step::stray:
            case Step::malformed: return std::nullopt;
        }
    FAIL("the reply is not complete");
    return std::nullopt;
}

}  // namespace

TEST_CASE("enhanced status codes", "[reply]") {
    struct Row {
        const char* text;
        EnhancedStatus status;
    };
    const Row good[] = {{"2.0.0", {2, 0, 0}},
                        {"5.1.1 no such user", {5, 1, 1}},
                        {"4.7.650 x", {4, 7, 650}},
                        {"5.999.999", {5, 999, 999}},
                        {"5.1.1 ", {5, 1, 1}}};
    for (const auto& row : good) {
        CAPTURE(row.text);
        REQUIRE(parse_enhanced_status(row.text));
        CHECK(*parse_enhanced_status(row.text) == row.status);
        CHECK(std::string(row.text).starts_with(row.status.text()));
    }
    for (const char* bad : {"",      "5",      "5.",     "5.1",    "5.1.",    "3.1.1",    "1.1.1",
                            "0.0.0", "6.0.0",  "5,1,1",  "5.1.1x", "5.1.1.1", "5.1234.1", "5.1.1234",
                            "5..1",  "5.-1.1", "5.+1.1", " 5.1.1", "55.1.1",  "5.1.1\t",  "5.a.1"}) {
        CAPTURE(bad);
        CHECK_FALSE(parse_enhanced_status(bad));
    }
    CHECK(EnhancedStatus{}.text().empty());
}

TEST_CASE("a reply on the wire and for people", "[reply]") {
    CHECK(Reply{250, {2, 0, 0}, "ok"}.wire() == "250 2.0.0 ok\r\n");
    CHECK(Reply{354, {}, "go"}.wire() == "354 go\r\n");
    CHECK(Reply{250, {}, "host\nSIZE 1\n8BITMIME"}.wire() == "250-host\r\n250-SIZE 1\r\n250 8BITMIME\r\n");
    CHECK(Reply{550, {5, 1, 1}, "a\nb"}.wire() == "550-5.1.1 a\r\n550 5.1.1 b\r\n");
    CHECK(Reply{550, {5, 1, 1}, "a\nb"}.line() == "550 5.1.1 a b");
    CHECK(Reply{250, {}, ""}.line() == "250");
    CHECK(Reply{421, {}, ""}.wire().starts_with("421"));
    CHECK(Reply{250, {}, ""}.positive());
    CHECK(Reply{354, {}, ""}.positive());
    CHECK(Reply{450, {}, ""}.transient());
    CHECK(Reply{550, {}, ""}.permanent());
    CHECK_FALSE(Reply{}.positive());
    CHECK_FALSE(Reply{}.transient());
    CHECK_FALSE(Reply{}.permanent());
}

TEST_CASE("what is sent is read back the same", "[reply]") {
    const Reply rows[] = {{250, {2, 1, 5}, "ok"},      {250, {}, "host\nPIPELINING\nSIZE 100"},
                          {550, {5, 1, 1}, "a\nb\nc"}, {421, {4, 7, 0}, ""},
                          {250, {}, "x\n\ny"},         {354, {}, ""}};
    for (const auto& row : rows) {
        std::string wire = row.wire();
        std::vector<std::string> lines;
        for (std::size_t at = 0; at < wire.size();) {
            std::size_t end = wire.find("\r\n", at);
            lines.push_back(wire.substr(at, end - at));
            at = end + 2;
        }
        CHECK(parse(lines) == row);
    }
}

TEST_CASE("remote replies, well-formed and hostile", "[reply]") {
    struct Row {
        std::vector<std::string> lines;
        std::optional<Reply> reply;
    };
    const Row rows[] = {
        {{"250"}, Reply{250, {}, ""}},
        {{"250 "}, Reply{250, {}, ""}},
        {{"250-", "250 "}, Reply{250, {}, "\n"}},
        {{"250 ok"}, Reply{250, {}, "ok"}},
        {{"550 5.1.1"}, Reply{550, {5, 1, 1}, ""}},
        {{"550 5.1.1 who"}, Reply{550, {5, 1, 1}, "who"}},
        {{"550-5.1.1 a", "550 5.1.1 b"}, Reply{550, {5, 1, 1}, "a\nb"}},
        {{"550-5.1.1 a", "550 plain"}, Reply{550, {5, 1, 1}, "a\nplain"}},
        // A status of another class than the code says nothing that can be trusted (RFC 2034 §4).
        {{"550 2.1.1 odd"}, Reply{550, {}, "2.1.1 odd"}},
        {{"450 5.1.1 odd"}, Reply{450, {}, "5.1.1 odd"}},
        {{"550 %s%n \x1b[2J"}, Reply{550, {}, "%s%n \x1b[2J"}},
        {{"250 a\0b"s}, Reply{250, {}, "a\0b"s}},
        {{""}, std::nullopt},
        {{"2"}, std::nullopt},
        {{"25"}, std::nullopt},
        {{"25x ok"}, std::nullopt},
        {{"ok"}, std::nullopt},
        {{" 250 ok"}, std::nullopt},
        {{"-50 ok"}, std::nullopt},
        {{"000 ok"}, std::nullopt},
        {{"150 ok"}, std::nullopt},
        {{"999 ok"}, std::nullopt},
        {{"\0\0\0"s}, std::nullopt},
        {{"\xb2\xb5\xb0 ok"}, std::nullopt},
        // The code of the last line that has one counts; what has none is text.
        {{"250-a", "550 b"}, Reply{550, {}, "a\nb"}},
        {{"550-a", "250 b"}, Reply{250, {}, "a\nb"}},
        {{"220-mx.example", "554 5.7.1 blocked"}, Reply{554, {5, 7, 1}, "mx.example\nblocked"}},
        {{"250-2.0.0 queued", "251 forwarded"}, Reply{251, {2, 0, 0}, "queued\nforwarded"}},
        {{"450-4.2.1 a", "550 b"}, Reply{550, {}, "4.2.1 a\nb"}},
        {{"550-5.1.1 a", "550 5.7.1 b"}, Reply{550, {5, 7, 1}, "5.1.1 a\nb"}},
        {{"250-a", "b", "250 c"}, Reply{250, {}, "a\nb\nc"}},
        {{"250-a", "", "250 c"}, Reply{250, {}, "a\n\nc"}},
        {{"250-a", "5000 of them", "299ers", "250 c"}, Reply{250, {}, "a\n5000 of them\n299ers\nc"}},
        // Separators that are none.
        {{"550\ttext"}, Reply{550, {}, "text"}},
        {{"550:5.1.1 text"}, Reply{550, {5, 1, 1}, "text"}},
        {{"5501 text"}, Reply{550, {}, "5501 text"}},
        {{"2500 ok"}, Reply{250, {}, "2500 ok"}},
        {{"250ok"}, Reply{250, {}, "ok"}},
        {{"250\tok"}, Reply{250, {}, "ok"}},
        {{"601 no"}, Reply{601, {}, "no"}},
    };
    for (const auto& row : rows) {
        CAPTURE(row.lines);
        CHECK(parse(row.lines) == row.reply);
    }
}

TEST_CASE("a reply that never ends is cut off, a long one is kept in part", "[reply]") {
    ReplyParser endless;
    int lines = 0;
    while (endless.feed("250-again") == Step::more) REQUIRE(++lines < 10'000);
    CHECK(lines <= 128);

    ReplyParser wide;
    for (int at = 0; at < 100; ++at) REQUIRE(wide.feed("550-" + std::string(2000, 'x')) == Step::more);
    REQUIRE(wide.feed("550 end") == Step::complete);
    CHECK(wide.take().text.size() <= 16 * 1024);

    ReplyParser one;
    REQUIRE(one.feed("550 " + std::string(1 << 20, 'x')) == Step::complete);
    CHECK(one.take().text.size() <= 16 * 1024);
}

TEST_CASE("lines without a code in front of a reply are none", "[reply]") {
    ReplyParser parser;
    CHECK(parser.feed("warning: disk") == Step::stray);
    CHECK(parser.feed("") == Step::stray);
    REQUIRE(parser.feed("250 fine") == Step::complete);
    CHECK(parser.take() == Reply{250, {}, "fine"});
    for (int at = 0; at < 128; ++at) REQUIRE(parser.feed("what") == Step::stray);
    CHECK(parser.feed("what") == Step::malformed);
}

TEST_CASE("each reply starts anew", "[reply]") {
    ReplyParser parser;
    REQUIRE(parser.feed("550-5.1.1 a") == Step::more);
    REQUIRE(parser.feed("550 5.1.1 b") == Step::complete);
    CHECK(parser.take() == Reply{550, {5, 1, 1}, "a\nb"});
    REQUIRE(parser.feed("250 fine") == Step::complete);
    CHECK(parser.take() == Reply{250, {}, "fine"});
}
