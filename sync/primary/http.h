// A bounded HTTP and HTTPS client for one server: one request at a time, caps on the octets of header and
// body, a total deadline, no redirects, no decompression, TLS 1.2 or later with the host name checked (RFC
// 9110, RFC 9112, RFC 9525).
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <utility>
#include <vector>

#include "sync/limits.h"
#include "sync/primary/stream.h"
#include "sync/primary/url.h"

namespace postern::base {
struct HttpMessage;
}

namespace postern::sync {

struct HttpSettings : StreamSettings {
    std::chrono::milliseconds gap{0};            // of rest between two requests
    std::chrono::milliseconds total{120000};     // for a whole request
    std::size_t body = limits::answer;           // octets of a reply
    std::size_t header = limits::answer_header;  // of what comes with it
};

struct HttpRequest {
    std::string method;  // GET or POST
    std::string path;    // below the base URL, without a leading slash, percent-encoded
    std::string body;    // JSON unless the headers name another Content-Type and Accept
    std::vector<std::pair<std::string, std::string>> headers;
};

struct HttpReply {
    int status = 0;
    std::string body;
    std::string location, content_encoding;  // "" where there is none
    std::optional<std::chrono::seconds> retry_after;
    std::optional<base::Time> date;  // the server's clock
};

/// Retry-After: seconds or an HTTP date (RFC 9110 §10.2.3); nullopt when it is neither. Never negative.
std::optional<std::chrono::seconds> parse_retry_after(std::string_view field, base::Time now);

/// Used by one thread at a time.
class HttpClient final {
public:
    /// `stop` interrupts a request under way and makes all later ones fail.
    HttpClient(const BaseUrl& base, HttpSettings settings, const base::Clock& clock, std::stop_token stop);
    ~HttpClient();
    HttpClient(const HttpClient&) = delete;
    HttpClient& operator=(const HttpClient&) = delete;

    /// Not to be called from two threads at once. The request's body is wiped. Any status is a reply.
    tl::expected<HttpReply, StreamFailure> send(HttpRequest request);

    std::uint64_t sent() const { return sent_; }

    /// While it is on, the rest after a request is as long as the request took, if that is less than the gap:
    /// the server is kept busy half of the time at most.
    void hurry(bool on) { hurry_ = on; }
    /// Of rest between two requests, from the next on.
    void pause_between(std::chrono::milliseconds gap) { settings_.gap = gap; }

private:
    tl::expected<base::HttpMessage, StreamFailure> exchange(const std::string& head,
                                                            const HttpRequest& request,
                                                            base::Moment deadline);

    std::string prefix_;
    bool tls_;
    HttpSettings settings_;
    const base::Clock& clock_;
    std::stop_token stop_;
    std::unique_ptr<Stream> stream_;
    bool hurry_ = false;
    base::Moment rest_until_{};
    std::uint64_t sent_ = 0;
};

}  // namespace postern::sync
