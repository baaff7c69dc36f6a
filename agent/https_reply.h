// Reads one HTTP/1.1 reply (RFC 9112) from octets as they come, from a server nobody vouches for.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace postern::agent {

struct HttpsReply {
    int status = 0;
    std::string content_type;  // without parameters, lower case
    std::string body;          // of a 200 only
};

class HttpsReplyReader {
public:
    static constexpr std::size_t header_max = 16
                                              << 10;  // octets, what frames chunks and trails them included

    explicit HttpsReplyReader(std::size_t body_max) : body_max_(body_max) {}

    enum class Step : std::uint8_t { more, complete, failed };
    /// Any status but 200 is complete with its header. Nothing is to be fed after `complete` or `failed`.
    Step feed(std::string_view octets);
    /// The server closed the connection in an orderly way.
    Step end();

    HttpsReply take() { return std::move(reply_); }
    const std::string& fault() const { return fault_; }  // in words, after `failed`

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

    std::size_t body_max_;
    State state_ = State::status;
    std::string pending_;  // fed, not read yet
    std::size_t at_ = 0;   // in pending_
    std::size_t framing_ = 0;
    std::uint64_t missing_ = 0;  // octets of the body or chunk
    bool has_length_ = false, chunked_ = false;
    HttpsReply reply_;
    std::string fault_;
};

}  // namespace postern::agent
