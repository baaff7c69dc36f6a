// A server that says what it is told to, whatever it is asked.
#pragma once

#include <atomic>
#include <functional>
#include <string>
#include <string_view>
#include <utility>

#include "tests/unit/sync/loopback_server.h"

namespace postern::tests {

class RawServer {
public:
    /// Sends octets to the client; false when it has gone.
    using Send = std::function<bool(std::string_view)>;
    using Script = std::function<void(const Send&)>;

    /// `script` is run for each connection, one after the other, when the first octets of a request are
    /// there.
    explicit RawServer(Script script)
        : server_([this, script = std::move(script)](int client) { serve(client, script); }) {}

    std::string where() const { return server_.where(); }
    int connections() const { return connections_; }

private:
    void serve(int client, const Script& script) {
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
    }

    std::atomic<int> connections_{0};
    LoopbackServer server_;
};

}  // namespace postern::tests
