#include "agent/http/request.h"

#include <catch2/catch.hpp>

using namespace postern::agent;

TEST_CASE("the head of a request is read") {
    const auto request = parse_http_request(
        "GET /v1/queue%2Fx?sender=a%26b+c%40x.example&limit=5&all HTTP/1.1\r\nHost: localhost\r\nX-A:  b "
        "\r\n\r\n");
    REQUIRE(request);
    CHECK(request->method == "GET");
    CHECK(request->path == "/v1/queue/x");
    CHECK(request->parameters.find("sender")->second == "a&b c@x.example");
    CHECK(request->parameters.find("limit")->second == "5");
    CHECK(request->parameters.find("all")->second.empty());
    CHECK(request->field("host") == "localhost");
    CHECK(request->field("x-a") == "b");
    CHECK(request->count("x-b") == 0);
}

TEST_CASE("what is no request is refused") {
    struct Case {
        const char* head;
        int status;
    };
    const auto c = GENERATE(values<Case>({{"", 400},
                                          {"\r\n\r\n", 400},
                                          {"GET /\r\n\r\n", 400},
                                          {"GET  HTTP/1.1\r\n\r\n", 400},
                                          {"GET x HTTP/1.1\r\n\r\n", 400},
                                          {"G\x01T / HTTP/1.1\r\n\r\n", 400},
                                          {"GET /a b HTTP/1.1\r\n\r\n", 400},
                                          {"GET /%zz HTTP/1.1\r\n\r\n", 400},
                                          {"GET /?a=%4 HTTP/1.1\r\n\r\n", 400},
                                          {"GET / HTTP/2\r\n\r\n", 505},
                                          {"GET / HTTP/1.1\r\nno colon\r\n\r\n", 400},
                                          {"GET / HTTP/1.1\r\nName : x\r\n\r\n", 400},
                                          {"GET / HTTP/1.1\r\n folded: x\r\n\r\n", 400}}));
    CAPTURE(c.head);
    const auto request = parse_http_request(c.head);
    REQUIRE_FALSE(request);
    CHECK(request.error().status == c.status);
}

TEST_CASE("a head ends at its empty line") {
    CHECK(end_of_head("GET / HTTP/1.1\r\n\r\nmore") == 18);
    CHECK(end_of_head("GET / HTTP/1.1\n\n") == 16);
    CHECK(end_of_head("GET / HTTP/1.1\r\n") == std::string_view::npos);
    CHECK(end_of_head("") == std::string_view::npos);
}
