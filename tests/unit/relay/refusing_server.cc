#include "tests/unit/relay/refusing_server.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <array>
#include <stdexcept>
#include <utility>

namespace postern::tests {

RefusingServer::RefusingServer(Rule rule)
    : rule_(std::move(rule)), socket_(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in own{};
    own.sin_family = AF_INET;
    own.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (::bind(socket_.get(), reinterpret_cast<const sockaddr*>(&own), sizeof own) != 0)
        throw std::runtime_error("no port is free");
    thread_ = std::thread([this] { answer(); });
}

RefusingServer::~RefusingServer() {
    ::shutdown(socket_.get(), SHUT_RD);
    thread_.join();
}

std::string RefusingServer::address() const {
    sockaddr_in own{};
    socklen_t length = sizeof own;
    ::getsockname(socket_.get(), reinterpret_cast<sockaddr*>(&own), &length);
    return "127.0.0.1@" + std::to_string(ntohs(own.sin_port));
}

/// The question (RFC 1035 §4.1) goes back with the flags of an answer.
void RefusingServer::answer() {
    for (;;) {
        std::array<std::uint8_t, 512> message{};
        sockaddr_in from{};
        socklen_t length = sizeof from;
        const ssize_t got = ::recvfrom(socket_.get(), message.data(), message.size(), 0,
                                       reinterpret_cast<sockaddr*>(&from), &length);
        if (got <= 12) return;
        std::size_t end = 12;
        while (end < static_cast<std::size_t>(got) && message[end] != 0) end += 1u + message[end];
        if (end + 5 > static_cast<std::size_t>(got)) continue;
        const auto code = rule_(message[end + 2]);
        if (!code) continue;
        message[2] = static_cast<std::uint8_t>(message[2] | 0x80);
        message[3] = static_cast<std::uint8_t>(0x80 | *code);
        for (std::size_t at = 6; at < 12; ++at) message[at] = 0;
        ::sendto(socket_.get(), message.data(), end + 5, 0, reinterpret_cast<const sockaddr*>(&from), length);
    }
}

}  // namespace postern::tests
