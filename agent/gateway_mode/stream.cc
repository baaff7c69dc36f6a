#include "agent/gateway_mode/stream.h"

#include <openssl/err.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <climits>

namespace postern::agent {
namespace {

using Clock = std::chrono::steady_clock;
constexpr std::chrono::milliseconds farewell{500};
constexpr std::size_t most_discarded = 1 << 20;

}  // namespace

GatewayModeStream::GatewayModeStream(int socket, std::string client, Limits limits)
    : socket_(socket), client_(std::move(client)), limits_(limits), end_(Clock::now() + limits.total) {}

bool GatewayModeStream::wait(short events) const {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(end_ - Clock::now());
    const auto time = std::min(left, limits_.pause);
    if (time.count() <= 0) return false;
    pollfd descriptor{socket_, events, 0};
    int ready = 0;
    do {
        ready = poll(&descriptor, 1, static_cast<int>(time.count()));
    } while (ready < 0 && errno == EINTR);
    return ready > 0;
}

template <class Attempt>
ssize_t GatewayModeStream::complete(short direction, Attempt attempt) {
    for (;;) {
        if (Clock::now() >= end_) return -1;
        ERR_clear_error();
        errno = 0;
        const ssize_t result = attempt();
        if (result > 0) return result;
        short events = 0;
        if (ssl_) {
            const int error = SSL_get_error(ssl_.get(), static_cast<int>(result));
            if (error == SSL_ERROR_ZERO_RETURN) return 0;
            events = error == SSL_ERROR_WANT_READ    ? POLLIN
                     : error == SSL_ERROR_WANT_WRITE ? POLLOUT
                                                     : short{0};
        } else if (result == 0) {
            return 0;
        } else if (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR) {
            events = direction;
        }
        if (events == 0 || !wait(events)) return -1;
    }
}

bool GatewayModeStream::secure(SSL_CTX& context) {
    ssl_.reset(SSL_new(&context));
    if (!ssl_ || SSL_set_fd(ssl_.get(), socket_) != 1) return false;
    // SSL_write may be tried again with what is left of the same octets.
    SSL_set_mode(ssl_.get(), SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    return complete(POLLIN, [this] { return ssize_t{SSL_accept(ssl_.get())}; }) > 0;
}

void GatewayModeStream::finish() {
    if (ssl_) SSL_shutdown(ssl_.get());
    shutdown(socket_, SHUT_WR);
    const auto end = Clock::now() + farewell;
    for (std::size_t discarded = 0; discarded < most_discarded;) {
        const auto left = std::chrono::ceil<std::chrono::milliseconds>(end - Clock::now());
        pollfd descriptor{socket_, POLLIN, 0};
        if (left.count() <= 0 || poll(&descriptor, 1, static_cast<int>(left.count())) <= 0) return;
        const ssize_t got = recv(socket_, buffer_.data(), buffer_.size(), 0);
        if (got <= 0) return;
        discarded += static_cast<std::size_t>(got);
    }
}

ssize_t GatewayModeStream::receive(char* data, std::size_t size) {
    return complete(POLLIN, [&] {
        return ssl_ ? ssize_t{SSL_read(ssl_.get(), data, static_cast<int>(size))}
                    : recv(socket_, data, size, 0);
    });
}

ssize_t GatewayModeStream::read(char* data, std::size_t size) {
    if (begin_ == filled_) {
        const std::size_t room = std::min(buffer_.size(), limits_.octets);
        if (room == 0) return -1;
        const ssize_t got = receive(buffer_.data(), room);
        if (got <= 0) return got;
        begin_ = 0;
        filled_ = static_cast<std::size_t>(got);
        limits_.octets -= filled_;
    }
    const std::size_t taken = std::min(size, filled_ - begin_);
    std::copy_n(buffer_.data() + begin_, taken, data);
    begin_ += taken;
    return static_cast<ssize_t>(taken);
}

ssize_t GatewayModeStream::write(const char* data, std::size_t size) {
    size = std::min<std::size_t>(size, INT_MAX);
    return complete(POLLOUT, [&] {
        return ssl_ ? ssize_t{SSL_write(ssl_.get(), data, static_cast<int>(size))}
                    : send(socket_, data, size, MSG_NOSIGNAL);
    });
}

void GatewayModeStream::get_remote_ip_and_port(std::string& ip, int& port) const {
    ip = client_;
    port = 0;
}

void GatewayModeStream::get_local_ip_and_port(std::string& ip, int& port) const {
    ip.clear();
    port = 0;
}

}  // namespace postern::agent
