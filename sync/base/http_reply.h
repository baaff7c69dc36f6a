// Reads one HTTP/1.1 reply (RFC 9112) from octets as they come, from a server nobody vouches for.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

namespace postern::base {

struct HttpMessage {
    int status = 0;
    std::string content_type;      // without parameters, lower case
    std::string content_encoding;  // lower case; "" when the body is as it is meant
    std::string location, date, retry_after;
    bool reusable = false;  // the connection may be used again
    std::string body;
};

/// What bounds a reply, in octets.
struct HttpBounds {
    std::size_t body = 0;
    // Of the header, and of a trailer. What frames chunks may take eight times what they hold besides.
    std::size_t header = 16 << 10;
    bool every_body = false;  // otherwise a reply of another status than 200 is complete with its header
};

/// One thing: where a reply ends follows from all that was read of it.
class HttpReplyReader {
public:
    explicit HttpReplyReader(HttpBounds bounds) : bounds_(bounds) {}

    enum class Step : std::uint8_t { more, complete, failed };
    /// Nothing is to be fed after `complete` or `failed`.
    Step feed(std::string_view octets);
    /// The server closed the connection in an orderly way.
    Step end();

    HttpMessage take() { return std::move(reply_); }
    const std::string& fault() const { return fault_; }  // in words, after `failed`
    bool too_large() const { return too_large_; }        // which is why it failed
    bool started() const { return started_; }            // something came that looks like HTTP

private:
    enum class State : std::uint8_t {
        status,
        header,
        body,  // of known length
        chunk_size,
        chunk,
        chunk_end,
        trailer,
        rest,  // everything up to the end of the connection
        complete,
        failed
    };

    bool advance();  // false: more octets are wanted
    bool take_line(std::string& line);
    bool take_body();
    void on_status(std::string_view line);
    void on_header(std::string_view line);
    void on_header_end();
    void on_chunk_size(std::string_view line);
    void fail(const char* words);

    void fail_too_large();
    std::size_t framing_max() const { return bounds_.header + 8 * reply_.body.size(); }

    HttpBounds bounds_;
    State state_ = State::status;
    std::string pending_;  // fed, not read yet
    std::size_t at_ = 0;   // in pending_
    std::size_t framing_ = 0;
    std::uint64_t missing_ = 0;  // octets of the body or chunk
    bool has_length_ = false, chunked_ = false, closes_ = false;
    bool started_ = false, too_large_ = false;
    HttpMessage reply_;
    std::string fault_;
};

}  // namespace postern::base
