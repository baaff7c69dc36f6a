// A mail server that answers each command as it is told to.
#pragma once

#include <functional>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "tests/unit/sync/loopback_server.h"

namespace postern::tests {

class MailServer {
public:
    /// The reply to a command, whole and without its final line end; to "" the greeting. An empty one ends
    /// the connection.
    using Answer = std::function<std::string(const std::string& command)>;

    explicit MailServer(Answer answer)
        : server_([this, answer = std::move(answer)](int client) { serve(client, answer); }) {}

    std::string url() const { return "smtp://" + server_.where(); }
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

    mutable std::mutex mutex_;
    std::vector<std::string> commands_;
    LoopbackServer server_;
};

}  // namespace postern::tests
