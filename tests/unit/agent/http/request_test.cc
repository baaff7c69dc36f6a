#include "agent/http/request.h"

#include <catch2/catch.hpp>

using namespace postern::agent;

TEST_CASE("the line of a request is read") {
    const auto request =
        parse_request_line("GET /v1/queue%2Fx?sender=a%26b+c%40x.example&limit=5&all HTTP/1.0");
    REQUIRE(request);
    CHECK(request->method == "GET");
    CHECK(request->path == "/v1/queue/x");
    CHECK(request->minor == 0);
    CHECK(request->parameters.find("sender")->second == "a&b c@x.example");
    CHECK(request->parameters.find("limit")->second == "5");
    CHECK(request->parameters.find("all")->second.empty());
}

TEST_CASE("what is no request is refused") {
    struct Case {
        const char* line;
        int status;
    };
    const auto c = GENERATE(values<Case>({{"", 400},
                                          {"GET /", 400},
                                          {"GET  HTTP/1.1", 400},
                                          {"GET x HTTP/1.1", 400},
                                          {"GET http://localhost/ HTTP/1.1", 400},
                                          {"GET * HTTP/1.1", 400},
                                          {"G\x01T / HTTP/1.1", 400},
                                          {"G(T / HTTP/1.1", 400},
                                          {" GET / HTTP/1.1", 400},
                                          {"GET /a b HTTP/1.1", 400},
                                          {"GET  / HTTP/1.1", 400},
                                          {"GET / HTTP/1.1 ", 400},
                                          {"GET\t/\tHTTP/1.1", 400},
                                          {"GET /\x01 HTTP/1.1", 400},
                                          {"GET /\xc3\xa9 HTTP/1.1", 400},
                                          {"GET /%zz HTTP/1.1", 400},
                                          {"GET /?a=%4 HTTP/1.1", 400},
                                          {"GET / http/1.1", 400},
                                          {"GET / HTTP/1.10", 400},
                                          {"GET / HTTP/1.", 400},
                                          {"GET / HTTP/1.x", 400},
                                          {"GET / HTTP/1,1", 400},
                                          {"GET / HTTP/2", 400},
                                          {"GET / HTTP/2.0", 505},
                                          {"GET / HTTP/0.9", 505}}));
    CAPTURE(c.line);
    const auto request = parse_request_line(c.line);
    REQUIRE_FALSE(request);
    CHECK(request.error().status == c.status);
}

TEST_CASE("a field is read, or is none") {
    using Field = std::pair<std::string, std::string>;
    CHECK(parse_field_line("Host: localhost") == Field("host", "localhost"));
    CHECK(parse_field_line("X-A: \t b c\t ") == Field("x-a", "b c"));
    CHECK(parse_field_line("X:") == Field("x", ""));
    CHECK(parse_field_line("X:a:b") == Field("x", "a:b"));
    CHECK(parse_field_line("X: caf\xc3\xa9") == Field("x", "caf\xc3\xa9"));
    const auto none =
        GENERATE(as<std::string>(), "no colon", ": x", "Name : x", "Na me: x", " folded: x", "\tfolded: x",
                 "X: a\rb", "X: a\x7f", "X: \x1b[2J", std::string("X: a\0b", 6), "X\xc3\xa9: y", "(X): y");
    CAPTURE(none);
    CHECK_FALSE(parse_field_line(none));
}

TEST_CASE("the length of a body is one plain number, or nobody guesses it") {
    const auto said = [](std::vector<std::pair<std::string, std::string>> fields) {
        HttpRequest request;
        request.fields = std::move(fields);
        return request;
    };
    CHECK(said({}).body() == 0u);
    CHECK_FALSE(said({}).has_body());
    CHECK(said({{"content-length", "0"}}).body() == 0u);
    CHECK_FALSE(said({{"content-length", "0"}}).has_body());
    CHECK(said({{"content-length", "0017"}}).body() == 17u);
    CHECK(said({{"content-length", "99999999999999999999999"}}).body() > 1u << 30);
    for (const char* text : {"", "-1", "+5", "5, 5", "5 5", "0x5", "5\t", "\xd9\xa5"}) {
        CAPTURE(text);
        CHECK(said({{"content-length", text}}).body() == std::nullopt);
        CHECK(said({{"content-length", text}}).has_body());
    }
    CHECK(said({{"content-length", "5"}, {"content-length", "5"}}).body() == std::nullopt);
    for (const char* text : {"chunked", "identity", "xchunked", "", "gzip, chunked"}) {
        CHECK(said({{"transfer-encoding", text}}).body() == std::nullopt);
        CHECK(said({{"transfer-encoding", text}, {"content-length", "5"}}).body() == std::nullopt);
        CHECK(said({{"transfer-encoding", text}}).has_body());
    }
}
