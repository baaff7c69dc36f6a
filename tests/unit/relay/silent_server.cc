#include "tests/unit/relay/silent_server.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <stdexcept>

namespace postern::tests {

SilentServer::SilentServer() : socket_(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in own{};
    own.sin_family = AF_INET;
    own.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (::bind(socket_, reinterpret_cast<const sockaddr*>(&own), sizeof own) != 0)
        throw std::runtime_error("no port is free");
}

SilentServer::~SilentServer() { ::close(socket_); }

std::string SilentServer::address() const {
    sockaddr_in own{};
    socklen_t length = sizeof own;
    ::getsockname(socket_, reinterpret_cast<sockaddr*>(&own), &length);
    return "127.0.0.1@" + std::to_string(ntohs(own.sin_port));
}

}  // namespace postern::tests
