#include "agent/http/request_reader.h"

#include <catch2/catch.hpp>

using namespace postern::agent;
using Step = HttpRequestReader::Step;

namespace {

struct Outcome {
    Step step = Step::more;
    int status = 0;  // of the fault
    std::string why, method, path, body, rest;
    std::size_t fields = 0;
    bool operator==(const Outcome&) const = default;
};

/// What comes of `octets` in pieces that end at `cut`, and of a body of `body` octets.
Outcome read(std::string_view octets, std::size_t cut, std::size_t body = 0, HttpRequestBounds bounds = {}) {
    HttpRequestReader reader(bounds);
    Outcome outcome;
    for (std::string_view piece : {octets.substr(0, cut), octets.substr(std::min(cut, octets.size()))}) {
        outcome.step = reader.feed(piece);
        if (outcome.step == Step::head) {
            reader.expect(body);
            outcome.step = reader.feed(piece);
        }
        outcome.rest += piece;
        if (outcome.step == Step::failed) break;
    }
    if (outcome.step == Step::failed) {
        outcome.status = reader.fault().status;
        outcome.why = reader.fault().why;
        outcome.rest.clear();
        return outcome;
    }
    outcome.method = reader.request().method;
    outcome.path = reader.request().path;
    outcome.fields = reader.request().fields.size();
    if (outcome.step == Step::complete) outcome.body = reader.take_body();
    return outcome;
}

/// The same wherever it is cut.
Outcome read_cut(const std::string& octets, std::size_t body = 0, HttpRequestBounds bounds = {}) {
    const Outcome whole = read(octets, octets.size(), body, bounds);
    for (std::size_t cut = 0; cut < octets.size(); ++cut) {
        CAPTURE(octets, cut);
        CHECK(read(octets, cut, body, bounds) == whole);
    }
    return whole;
}

const std::string line = "POST /a HTTP/1.1\r\n", host = "Host: h\r\n";

}  // namespace

TEST_CASE("a request is read wherever it is cut, and nothing behind it") {
    const auto outcome = read_cut(line + host + "X-A:  b \r\n\r\nhellothe next", 5);
    CHECK(outcome.step == Step::complete);
    CHECK(outcome.method == "POST");
    CHECK(outcome.path == "/a");
    CHECK(outcome.fields == 2);
    CHECK(outcome.body == "hello");
    CHECK(outcome.rest == "the next");
    CHECK(read_cut(line + host + "\r\n" + line).rest == line);
    CHECK(read_cut(line + host + "\r\nhel", 5).step == Step::more);
    CHECK(read_cut(line + host).step == Step::more);
    CHECK(read_cut("GET / HTTP/1.0\r\n\r\n").step == Step::complete);  // before there was Host
}

TEST_CASE("what begins as no request does is not waited for to end") {
    // TLS where none is spoken, for one: its client waits for an answer, and sends no line end.
    for (const char* octets : {"\x16\x03\x01", "\x80", " GET", "\t", "\x7f"}) {
        const auto outcome = read_cut(octets);
        CHECK(outcome.step == Step::failed);
        CHECK(outcome.status == 400);
        CHECK(outcome.why == "this is no HTTP request");
    }
}

TEST_CASE("what could be read in two ways is refused") {
    struct Case {
        std::string octets, why;
    };
    const auto c = GENERATE(values<Case>({
        {"\r\n" + line + host + "\r\n", "this is no HTTP request"},
        {"POST /a HTTP/1.1\n" + host + "\r\n", "a line ends without CR"},
        {line + "Host: h\n\r\n", "a line ends without CR"},
        {line + host + "\n", "a line ends without CR"},
        {line + host + "X: a\rTransfer-Encoding: chunked\r\n\r\n", "a CR ends no line"},
        {line + host + "X: a\r\r\n\r\n", "a CR ends no line"},
        {line + host + "\r\r\n", "a CR ends no line"},
        {line + host + "X: a\r\n b\r\n\r\n", "a header field is malformed"},
        {line + host + "Transfer-Encoding : chunked\r\n\r\n", "a header field is malformed"},
        {line + host + std::string("X: a\0b\r\n\r\n", 10), "a header field is malformed"},
        {line + host + host + "\r\n", "there are two Host headers"},
        {line + "\r\n", "the Host header is missing"},
        {std::string(4, '\0') + "\r\n\r\n", "this is no HTTP request"},
        {"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "HTTP/1.1 is spoken here"},
    }));
    const auto outcome = read_cut(c.octets);
    CHECK(outcome.step == Step::failed);
    CHECK(outcome.why == c.why);
}

TEST_CASE("a request is as large as it may be, and no larger") {
    HttpRequestBounds bounds;
    bounds.line = line.size() - 2;
    bounds.fields = 2;
    bounds.head = (line + host + "X: y\r\n\r\n").size();
    CHECK(read_cut(line + host + "X: y\r\n\r\n", 0, bounds).step == Step::complete);
    CHECK(read_cut("POST /ab HTTP/1.1\r\n" + host + "\r\n", 0, bounds).status == 414);
    CHECK(read_cut(std::string(100, 'a'), 0, bounds).status == 414);
    CHECK(read_cut(line + host + "X: yy\r\n\r\n", 0, bounds).status == 431);
    CHECK(read_cut(line + host + std::string(100, 'a'), 0, bounds).status == 431);
    bounds.head = 1000;
    CHECK(read_cut(line + host + "X: y\r\nX: y\r\n\r\n", 0, bounds).status == 431);
}

TEST_CASE("a header without end is refused when it has become too large, not later") {
    HttpRequestReader reader({});
    std::string_view start = line;
    reader.feed(start);
    std::size_t fed = 0;
    for (Step step = Step::more; step == Step::more;) {
        const std::string piece(1000, 'a');
        std::string_view rest = piece;
        step = reader.feed(rest);
        fed += piece.size();
        REQUIRE(fed <= 18'000);
    }
    CHECK(reader.fault().status == 431);
}
