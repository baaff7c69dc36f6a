// One HTTPS GET from a server nobody vouches for: everything it sends is bounded in size and time (RFC 9112). Only
// what a small file needs: no redirects, no cookies, no compression, a connection for each request.
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>

#include <tl/expected.hpp>

struct ssl_ctx_st;

namespace postern::agent {

struct HttpsReply {
    int status = 0;
    std::string content_type;  // without parameters, lower case
    std::string body;
};

/// What a client trusts: the certificates of `ca_file` (PEM), or the system's when it is empty. Throws
/// std::runtime_error naming the file that cannot be used.
std::shared_ptr<ssl_ctx_st> https_context(const std::filesystem::path& ca_file);

struct HttpsRequest {
    std::string host;     // name: of Host, SNI and the certificate, which must be valid for it (RFC 9525)
    std::string address;  // IPv4 or IPv6 literal that is connected to
    std::uint16_t port = 443;
    std::string path;            // begins with a slash
    std::size_t body = 64 << 10;  // octets at most; the header may have 16 KiB
};

/// Blocks until the reply is there, `deadline` has passed, or the descriptor `stop` can be read. The reply of any
/// status, or in words why there is none. SIGPIPE must be ignored.
tl::expected<HttpsReply, std::string> https_get(ssl_ctx_st& context, const HttpsRequest& request,
                                                std::chrono::steady_clock::time_point deadline, int stop);

/// Header and body as they came, up to the end of the connection. A pure function.
tl::expected<HttpsReply, std::string> parse_https_reply(std::string_view octets, std::size_t body_max);

}  // namespace postern::agent
