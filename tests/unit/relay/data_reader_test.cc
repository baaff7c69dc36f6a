#include "relay/reception/data_reader.h"

#include <catch2/catch.hpp>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include "relay/delivery/dot_stuffing.h"

using namespace postern::relay;
using namespace std::string_literals;

namespace {

struct Read {
    std::string content, rest;
    bool complete = false, bare = false, dots = false, nuls = false;
    bool operator==(const Read&) const = default;
};

Read read_in(const std::vector<std::string>& pieces) {
    DataReader reader;
    Read out;
    for (const auto& piece : pieces) {
        std::size_t used = reader.complete() ? 0 : reader.feed(piece, out.content);
        REQUIRE((used == piece.size() || reader.complete()));
        out.rest += piece.substr(used);
    }
    out.complete = reader.complete();
    out.bare = reader.bare_newlines();
    out.dots = reader.dots();
    out.nuls = reader.nuls();
    if (reader.complete()) REQUIRE(reader.size() == out.content.size());
    return out;
}

/// The same by the shortest way: cut at the first CRLF.CRLF, drop the stuffed dots and every NUL, make every
/// newline a CRLF.
std::optional<Read> by_definition(const std::string& octets) {
    std::string all = "\r\n" + octets;
    std::size_t end = all.find("\r\n.\r\n");
    if (end == std::string::npos) return std::nullopt;
    Read out;
    out.complete = true;
    out.rest = all.substr(end + 5);
    std::string body = all.substr(0, end + 2);
    for (std::size_t at = 0; at < body.size(); ++at) {
        if (body.compare(at, 2, "\r\n") == 0) {
            out.content += "\r\n";
            ++at;
            if (at + 1 < body.size() && body[at + 1] == '.') ++at;
        } else if (body[at] == '\r' || body[at] == '\n') {
            out.content += "\r\n";
            out.bare = true;
        } else if (body[at] == '\0') {
            out.nuls = true;
        } else {
            out.content += body[at];
        }
    }
    out.dots = out.content.find("\r\n.") != std::string::npos;
    out.content.erase(0, 2);
    return out;
}

bool has_bare_newline(const std::string& text) {
    for (std::size_t at = 0; at < text.size(); ++at) {
        if (text[at] == '\n' && (at == 0 || text[at - 1] != '\r')) return true;
        if (text[at] == '\r' && (at + 1 == text.size() || text[at + 1] != '\n')) return true;
    }
    return false;
}

std::string random_octets(std::mt19937& random, std::size_t longest) {
    static const std::string alphabet = "\r\n\r\n..a\0\xff"s;
    std::string out(random() % longest, ' ');
    for (char& c : out) c = alphabet[random() % alphabet.size()];
    return out;
}

}  // namespace

TEST_CASE("what comes out of data", "[data]") {
    struct Row {
        std::string octets, content;
        bool bare, dots, nuls = false;
    };
    const Row rows[] = {
        {".\r\n", "", false, false},
        {"\r\n.\r\n", "\r\n", false, false},
        {"a\r\n.\r\n", "a\r\n", false, false},
        {"..\r\n.\r\n", ".\r\n", false, true},
        {".a\r\n.\r\n", "a\r\n", false, false},
        {"..a\r\n...\r\n.\r\n", ".a\r\n..\r\n", false, true},
        {"a\r\n..\r\nb\r\n.\r\n", "a\r\n.\r\nb\r\n", false, true},
        {"a.\r\n.\r\n", "a.\r\n", false, false},
        {"a\nb\r\n.\r\n", "a\r\nb\r\n", true, false},
        {"a\rb\r\n.\r\n", "a\r\nb\r\n", true, false},
        {"a\r\r\n.\r\n", "a\r\n\r\n", true, false},
        {"\n.\r\n.\r\n", "\r\n.\r\n", true, true},
        {"a\n.b\r\n.\r\n", "a\r\n.b\r\n", true, true},
        {"a\r\n.\rb\r\n.\r\n", "a\r\n\r\nb\r\n", true, false},
        {"a\r\n.\nb\r\n.\r\n", "a\r\n\r\nb\r\n", true, false},
        {"a\0b\xff\r\n.\r\n"s, "ab\xff\r\n", false, false, true},
        // Who strips NUL would see an end of the data here.
        {"a\r\n\0.\r\nb\r\n.\r\n"s, "a\r\n.\r\nb\r\n", false, true, true},
        {"a\r\n.\0\r\nb\r\n\0\r\n.\r\n"s, "a\r\n\r\nb\r\n\r\n", false, false, true},
    };
    for (const auto& row : rows) {
        CAPTURE(row.octets);
        Read out = read_in({row.octets});
        CHECK(out == Read{row.content, "", true, row.bare, row.dots, row.nuls});
        CHECK(by_definition(row.octets) == out);
    }
}

TEST_CASE("only CRLF.CRLF ends the data, however the sender tries", "[data]") {
    // Sequences by which other servers could be made to see an end where there is none.
    const std::string tricks[] = {
        "\n.\n",         "\n.\r\n",      "\r.\r",         "\r.\r\n",     "\r\n.\n",      "\r\n.\r",
        "\n.\r",         "\r.\n",        "\r\r\n.\r\r\n", "\r\n.\r\r\n", "\r\n\0.\r\n"s, "\r\n.\0\r\n"s,
        "\r\0\n.\r\n"s,  "\r\n.\r\0\n"s, "\0\r\n.\n"s,    "\r\n. \r\n",  "\r\n .\r\n",   "\r\n.\t\r\n",
        "\r\n.\x0b\r\n", "\x85.\x85",    "\r\n..\r\n",
    };
    for (const auto& trick : tricks) {
        CAPTURE(trick);
        std::string octets = "body" + trick + "MAIL FROM:<evil@example.com>\r\n.\r\nQUIT\r\n";
        Read out = read_in({octets});
        CHECK(out.complete);
        CHECK(out.rest == "QUIT\r\n");
        CHECK(out.content.find("MAIL FROM:<evil@example.com>\r\n") != std::string::npos);
        CHECK_FALSE(has_bare_newline(out.content));
        CHECK(by_definition(octets) == out);
        bool line_start = true;
        std::string sent = stuff_dots(out.content, line_start);
        CHECK_FALSE(has_bare_newline(sent));
        CHECK(("\r\n" + sent).find("\r\n.\r\n") == std::string::npos);
        CHECK(line_start);
    }
}

TEST_CASE("content read in pieces is the content read whole", "[data]") {
    const unsigned seed = std::random_device{}();
    CAPTURE(seed);
    std::mt19937 random(seed);
    for (int times = 0; times < 1500; ++times) {
        std::string octets = random_octets(random, 40) + "\r\n.\r\n" + random_octets(random, 8);
        CAPTURE(octets);
        Read whole = read_in({octets});
        REQUIRE(by_definition(octets) == whole);
        REQUIRE_FALSE(has_bare_newline(whole.content));
        for (std::size_t at = 0; at <= octets.size(); ++at)
            REQUIRE(read_in({octets.substr(0, at), octets.substr(at)}) == whole);
        std::vector<std::string> single;
        for (char c : octets) single.emplace_back(1, c);
        REQUIRE(read_in(single) == whole);
    }
}

TEST_CASE("a receiver unstuffs what we stuffed", "[data]") {
    const unsigned seed = std::random_device{}();
    CAPTURE(seed);
    std::mt19937 random(seed);
    for (int times = 0; times < 1500; ++times) {
        std::string content = read_in({random_octets(random, 60) + "\r\n.\r\n"}).content;
        CAPTURE(content);
        std::string sent;
        bool line_start = true;
        for (std::size_t at = 0; at < content.size();) {
            std::size_t step = 1 + random() % 5;
            sent += stuff_dots(std::string_view(content).substr(at, step), line_start);
            at += step;
        }
        bool again = true;
        REQUIRE(stuff_dots(content, again) == sent);
        Read received = read_in({sent + ".\r\n"});
        REQUIRE(received.complete);
        REQUIRE(received.content == content);
        REQUIRE_FALSE(received.bare);
        REQUIRE_FALSE(received.nuls);
        REQUIRE(received.dots == (("\r\n" + content).find("\r\n.") != std::string::npos));
        if (!received.dots) REQUIRE(sent == content);
    }
}

TEST_CASE("the size is told while the content comes in", "[data]") {
    DataReader reader;
    std::string content;
    std::uint64_t before = 0;
    for (int at = 0; at < 100; ++at) {
        reader.feed("12345678\n", content);
        CHECK(reader.size() == content.size());
        CHECK(reader.size() > before);
        before = reader.size();
        CHECK_FALSE(reader.complete());
    }
    CHECK(reader.size() == 1000);
    // Content that is taken away piece by piece, as it is written to a file.
    content.clear();
    CHECK(reader.feed("\r\n.\r\nNOOP\r\n", content) == 5);
    CHECK(reader.complete());
    CHECK(content == "\r\n");
    CHECK(reader.size() == 1002);
}
