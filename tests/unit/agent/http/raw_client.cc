#include "tests/unit/agent/http/raw_client.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <csignal>
#include <stdexcept>

namespace postern::tests {
namespace {

sockaddr_in address(const std::string& host, std::uint16_t port) {
    sockaddr_in result{};
    result.sin_family = AF_INET;
    result.sin_port = htons(port);
    inet_pton(AF_INET, host.c_str(), &result.sin_addr);
    return result;
}

}  // namespace

RawClient::RawClient(std::uint16_t port, const std::string& from)
    : socket_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    const auto own = address(from, 0), server = address("127.0.0.1", port);
    if (::bind(socket_.get(), reinterpret_cast<const sockaddr*>(&own), sizeof own) != 0 ||
        ::connect(socket_.get(), reinterpret_cast<const sockaddr*>(&server), sizeof server) != 0)
        throw std::runtime_error("the client cannot connect");
}

RawClient::~RawClient() = default;

bool RawClient::secure() {
    std::signal(SIGPIPE, SIG_IGN);
    context_.reset(SSL_CTX_new(TLS_client_method()));
    tls_.reset(SSL_new(context_.get()));
    SSL_set_fd(tls_.get(), socket_.get());
    return SSL_connect(tls_.get()) == 1;
}

bool RawClient::send(std::string_view octets) {
    while (!octets.empty()) {
        const ssize_t sent = tls_ ? SSL_write(tls_.get(), octets.data(), static_cast<int>(octets.size()))
                                  : ::send(socket_.get(), octets.data(), octets.size(), MSG_NOSIGNAL);
        if (sent <= 0) return false;
        octets.remove_prefix(static_cast<std::size_t>(sent));
    }
    return true;
}

std::string RawClient::some(std::size_t most) {
    std::string octets(most, '\0');
    const ssize_t got = tls_ ? SSL_read(tls_.get(), octets.data(), static_cast<int>(most))
                             : ::recv(socket_.get(), octets.data(), most, 0);
    octets.resize(got > 0 ? static_cast<std::size_t>(got) : 0);
    return octets;
}

std::string RawClient::receive() {
    std::string all;
    for (std::string piece = some(65536); !piece.empty(); piece = some(65536)) all += piece;
    return all;
}

std::string RawClient::receive_until(std::string_view end) {
    std::string all;
    while (!all.ends_with(end)) {
        const std::string piece = some(1);
        if (piece.empty()) break;
        all += piece;
    }
    return all;
}

bool RawClient::ended() const { return tls_ && (SSL_get_shutdown(tls_.get()) & SSL_RECEIVED_SHUTDOWN) != 0; }

std::string exchange(std::uint16_t port, std::string_view octets, const std::string& from) {
    RawClient client(port, from);
    client.send(octets);
    return client.receive();
}

}  // namespace postern::tests
