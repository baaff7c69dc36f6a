// A server that says what it is told to, whatever it is asked.
#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <functional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <thread>

namespace postern::tests {

class RawServer {
public:
    /// Sends octets to the client; false when it has gone.
    using Send = std::function<bool(std::string_view)>;
    using Script = std::function<void(const Send&)>;

    /// `script` is run for each connection, one after the other, when the first octets of a request are
    /// there.
    explicit RawServer(Script script) : listener_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        socklen_t size = sizeof address;
        auto* const any = reinterpret_cast<sockaddr*>(&address);
        if (::bind(listener_, any, size) != 0 || ::listen(listener_, 8) != 0 ||
            ::getsockname(listener_, any, &size) != 0)
            throw std::runtime_error("cannot bind 127.0.0.1");
        port_ = ntohs(address.sin_port);
        thread_ = std::thread([this, script = std::move(script)] {
            for (int client = 0; (client = ::accept(listener_, nullptr, nullptr)) >= 0;) {
                ++connections_;
                char octet = 0;
                (void)!::recv(client, &octet, 1, 0);
                script([client](std::string_view octets) {
                    return ::send(client, octets.data(), octets.size(), MSG_NOSIGNAL) ==
                           static_cast<ssize_t>(octets.size());
                });
                ::shutdown(client, SHUT_WR);
                char rest[4096];
                while (::recv(client, rest, sizeof rest, 0) > 0) {
                }
                ::close(client);
            }
        });
    }
    ~RawServer() {
        ::shutdown(listener_, SHUT_RDWR);
        thread_.join();
        ::close(listener_);
    }
    RawServer(const RawServer&) = delete;
    RawServer& operator=(const RawServer&) = delete;

    std::string where() const { return "127.0.0.1:" + std::to_string(port_); }
    int connections() const { return connections_; }

private:
    int listener_, port_ = 0;
    std::atomic<int> connections_{0};
    std::thread thread_;
};

}  // namespace postern::tests
