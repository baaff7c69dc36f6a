// Reads one HTTP/1.1 request (RFC 9112) from octets as they come, from a client nobody vouches for.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "agent/http/request.h"

namespace postern::agent {

/// What bounds a request, in octets but for `fields`.
struct HttpRequestBounds {
    std::size_t line = 12 << 10;  // method, address and version
    std::size_t head = 16 << 10;  // line and fields together
    std::size_t fields = 64;
};

/// Whatever may be read in two ways is refused: lines that do not end in CRLF, control characters, lines that
/// go on in the next, a Host that is missing or there twice (RFC 9112 §2.2, §3.2, §5.2). Of the octets behind
/// the request it takes none.
class HttpRequestReader {
public:
    explicit HttpRequestReader(HttpRequestBounds bounds) : bounds_(bounds) {}

    enum class Step : std::uint8_t {
        more,      // octets are wanted
        head,      // request() is there; expect() says what comes now
        complete,  // so is its body
        failed     // fault() says why; nothing is to be fed any more
    };
    /// Takes what belongs to the request from the front of `octets`.
    Step feed(std::string_view& octets);
    /// Once, behind Step::head: the body has so many octets.
    void expect(std::size_t body);

    const HttpRequest& request() const { return request_; }
    std::string take_body() { return std::move(body_); }
    const HttpFault& fault() const { return fault_; }

private:
    enum class State : std::uint8_t { line, fields, head, body, complete, failed };

    Step step() const;
    /// Takes the next line without its end; false when it is not there, or malformed.
    bool take_line(std::string_view& octets);
    void read_line();
    void on_head_end();
    void fail(int status, std::string why);

    HttpRequestBounds bounds_;
    State state_ = State::line;
    std::string line_;
    std::size_t head_ = 0;     // octets of it so far
    std::size_t missing_ = 0;  // octets of the body
    HttpRequest request_;
    std::string body_;
    HttpFault fault_;
};

}  // namespace postern::agent
