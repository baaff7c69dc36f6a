// A mail server that answers each command as it is told to.
#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <functional>
#include <mutex>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

namespace postern::tests {

class MailServer {
public:
    /// The reply to a command, whole and without its final line end; to "" the greeting. An empty one ends
    /// the connection.
    using Answer = std::function<std::string(const std::string& command)>;

    explicit MailServer(Answer answer) : listener_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        socklen_t size = sizeof address;
        auto* const any = reinterpret_cast<sockaddr*>(&address);
        if (::bind(listener_, any, size) != 0 || ::listen(listener_, 8) != 0 ||
            ::getsockname(listener_, any, &size) != 0)
            throw std::runtime_error("cannot bind 127.0.0.1");
        port_ = ntohs(address.sin_port);
        thread_ = std::thread([this, answer = std::move(answer)] {
            for (int client = 0; (client = ::accept(listener_, nullptr, nullptr)) >= 0;) {
                serve(client, answer);
                ::close(client);
            }
        });
    }
    ~MailServer() {
        ::shutdown(listener_, SHUT_RDWR);
        thread_.join();
        ::close(listener_);
    }
    MailServer(const MailServer&) = delete;
    MailServer& operator=(const MailServer&) = delete;

    std::string url() const { return "smtp://127.0.0.1:" + std::to_string(port_); }
    /// Every command so far; "" for each connection.
    std::vector<std::string> commands() const {
        const std::lock_guard lock(mutex_);
        return commands_;
    }

private:
    void serve(int client, const Answer& answer) {
        std::string command, input;
        for (;;) {
            {
                const std::lock_guard lock(mutex_);
                commands_.push_back(command);
            }
            const std::string reply = answer(command);
            if (reply.empty()) return;
            const std::string line = reply + "\r\n";
            if (::send(client, line.data(), line.size(), MSG_NOSIGNAL) < 0) return;
            std::size_t end;
            while ((end = input.find("\r\n")) == input.npos) {
                char octets[512];
                const ssize_t got = ::recv(client, octets, sizeof octets, 0);
                if (got <= 0) return;
                input.append(octets, static_cast<std::size_t>(got));
            }
            command = input.substr(0, end);
            input.erase(0, end + 2);
        }
    }

    int listener_, port_ = 0;
    mutable std::mutex mutex_;
    std::vector<std::string> commands_;
    std::thread thread_;
};

}  // namespace postern::tests
