// A listener on loopback whose connections are served one after the other, on a thread of its own.
#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <functional>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>

namespace postern::tests {

/// Whoever has one as a member has it as the last: what is served may need the others.
class LoopbackServer {
public:
    /// `serve` is given each connection, which is closed when it returns.
    explicit LoopbackServer(std::function<void(int client)> serve)
        : listener_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        socklen_t size = sizeof address;
        auto* const any = reinterpret_cast<sockaddr*>(&address);
        if (::bind(listener_, any, size) != 0 || ::listen(listener_, 8) != 0 ||
            ::getsockname(listener_, any, &size) != 0)
            throw std::runtime_error("cannot bind 127.0.0.1");
        port_ = ntohs(address.sin_port);
        thread_ = std::thread([this, serve = std::move(serve)] {
            for (int client = 0; (client = ::accept(listener_, nullptr, nullptr)) >= 0;) {
                serve(client);
                ::close(client);
            }
        });
    }
    ~LoopbackServer() {
        ::shutdown(listener_, SHUT_RDWR);
        thread_.join();
        ::close(listener_);
    }
    LoopbackServer(const LoopbackServer&) = delete;
    LoopbackServer& operator=(const LoopbackServer&) = delete;

    std::string where() const { return "127.0.0.1:" + std::to_string(port_); }

private:
    int listener_, port_ = 0;
    std::thread thread_;
};

}  // namespace postern::tests
