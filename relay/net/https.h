// One HTTPS GET of a small file from a server nobody vouches for, or POST of one to it: bounded in size and
// time, no redirects, a connection for each request.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "relay/net/asio.h"
#include "relay/net/outside.h"
#include "relay/net/tls.h"
#include "sync/base/clock.h"
#include "sync/base/http_reply.h"

namespace postern::relay::net {

/// What has become of a question to a host that others name. Of several addresses the later one here counts.
enum class Asked : std::uint8_t {
    answered,
    unreachable,  // no network leads from here to any of its addresses at present
    failed,       // it was asked, and does not answer as it should
    not_made,     // for want of something of our own; it says nothing of the host
};

struct HttpsRequest {
    std::string host;  // name, for Host, SNI, and the certificate's alternative names (RFC 9525)
    std::string path;  // begins with a slash
    std::vector<asio::ip::address> addresses;  // the first that can be connected to is asked
    std::uint16_t port = 443;
    std::size_t body = 64 << 10;  // octets at most
    Milliseconds connect{5'000};  // to one address
    Milliseconds total{12'000};   // all of it
};

struct HttpsReply {
    Asked asked = Asked::not_made;
    base::HttpMessage reply;  // of any status, when answered
    std::string why;          // in words, when not
    bool untrusted = false;   // failed, since its certificate is not valid for the name
};

/// TLS 1.2 or later; the certificate must be valid, and for the name.
awaitable<HttpsReply> https_get(io_context& io, const base::Clock& clock, Outside& outside, TlsContext tls,
                                HttpsRequest request);

struct HttpsContent {
    std::string type, octets;
};

/// The same with a content to be taken.
awaitable<HttpsReply> https_post(io_context& io, const base::Clock& clock, Outside& outside, TlsContext tls,
                                 HttpsRequest request, const HttpsContent& content);

/// What an error of connect() says of the question. EADDRNOTAVAIL is what a machine without IPv6 gives, too.
Asked asked_after(const std::error_code& error);

}  // namespace postern::relay::net
