// One connection of gateway mode: non-blocking, with or without TLS, with an end to its time and its octets.
#pragma once

#include <httplib.h>
#include <openssl/ssl.h>
#include <poll.h>

#include <array>
#include <chrono>
#include <memory>
#include <string>

namespace postern::agent {

/// What the HTTP library reads and writes through. All of it together ends at a deadline, so that a client
/// that sends an octet now and then cannot hold a worker. One thread.
class GatewayModeStream final : public httplib::Stream {
public:
    struct Limits {
        std::chrono::milliseconds pause{2000};  // for the next octets
        std::chrono::milliseconds total{8000};  // for everything
        std::size_t octets = 96 << 10;          // that are read
    };

    /// Borrows the socket. `client` is its peer's address.
    GatewayModeStream(int socket, std::string client, Limits limits);

    /// TLS from here on; false when there is no handshake in time.
    bool secure(SSL_CTX& context);
    /// Says that no more will come and waits a moment for the peer to say so too: a socket that is closed
    /// with unread octets in it would tear the answer down on its way.
    void finish();

    bool is_readable() const override { return wait(POLLIN); }
    bool is_writable() const override { return wait(POLLOUT); }
    ssize_t read(char* data, std::size_t size) override;
    ssize_t write(const char* data, std::size_t size) override;
    void get_remote_ip_and_port(std::string& ip, int& port) const override;
    void get_local_ip_and_port(std::string& ip, int& port) const override;
    socket_t socket() const override { return socket_; }

private:
    struct FreeSsl {
        void operator()(SSL* ssl) const { SSL_free(ssl); }
    };

    bool wait(short events) const;
    /// Repeats `attempt` until octets have moved; 0 at the peer's end, -1 on failure or when time is over.
    template <class Attempt>
    ssize_t complete(short direction, Attempt attempt);
    ssize_t receive(char* data, std::size_t size);

    const int socket_;
    const std::string client_;
    Limits limits_;
    const std::chrono::steady_clock::time_point end_;
    std::unique_ptr<SSL, FreeSsl> ssl_;
    std::array<char, 4096> buffer_{};
    std::size_t begin_ = 0, filled_ = 0;
};

}  // namespace postern::agent
