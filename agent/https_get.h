// One HTTPS GET of a small file from a server nobody vouches for: bounded in size and time, no redirects, a
// connection for each request.
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>

#include <tl/expected.hpp>

#include "sync/base/http_reply.h"

struct ssl_ctx_st;

namespace postern::agent {

/// TLS 1.2 or later. Trusts the certificates in `ca_file` (PEM), or the system's store when it is empty.
/// Throws std::runtime_error naming the file that cannot be used.
std::shared_ptr<ssl_ctx_st> https_context(const std::filesystem::path& ca_file);

struct HttpsRequest {
    std::string host;     // name, for Host, SNI, and the certificate's alternative names (RFC 9525)
    std::string address;  // IPv4 or IPv6 literal that is connected to
    std::uint16_t port = 443;
    std::string path;                                 // begins with a slash
    std::size_t body = 64 << 10;                      // octets at most
    std::chrono::steady_clock::time_point connected;  // by then the TCP connection must stand
    std::chrono::steady_clock::time_point deadline;   // of everything
};

/// Blocks until the reply is there, it is too late, or the descriptor `stop` can be read. A reply of any
/// status, or in words why there is none. SIGPIPE must be ignored.
tl::expected<base::HttpMessage, std::string> https_get(ssl_ctx_st& context, const HttpsRequest& request,
                                                       int stop);

}  // namespace postern::agent
