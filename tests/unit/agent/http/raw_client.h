// A client that says what it is told to, over TCP, with or without TLS.
#pragma once

#include <openssl/ssl.h>

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "sync/base/descriptor.h"

namespace postern::tests {

class RawClient {
public:
    /// `from` is an address of loopback.
    explicit RawClient(std::uint16_t port, const std::string& from = "127.0.0.1");
    ~RawClient();
    RawClient(RawClient&&) = default;

    /// TLS from here on, whatever the certificate; false when there is no handshake.
    bool secure();
    /// False when the connection has ended.
    bool send(std::string_view octets);
    /// Everything until the other side ends the connection.
    std::string receive();
    /// What comes up to and with `end`.
    std::string receive_until(std::string_view end);
    /// Whether the other side ended TLS properly.
    bool ended() const;

private:
    std::string some(std::size_t most);

    postern::base::Descriptor socket_;
    std::unique_ptr<SSL_CTX, decltype(&SSL_CTX_free)> context_{nullptr, &SSL_CTX_free};
    std::unique_ptr<SSL, decltype(&SSL_free)> tls_{nullptr, &SSL_free};
};

/// Sends the octets and gives everything that comes back.
std::string exchange(std::uint16_t port, std::string_view octets, const std::string& from = "127.0.0.1");

}  // namespace postern::tests
