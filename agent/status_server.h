// The HTTP server under the status endpoint: sockets, limits and who may ask.
#pragma once

#include <chrono>
#include <memory>
#include <string>

#include "agent/operations.h"
#include "agent/settings.h"

namespace postern::agent {

/// Serves on its own threads. Takes no request bodies, one request per connection, a bounded number at a
/// time.
class StatusServer {
public:
    /// Binds; throws std::runtime_error in words when it cannot. Port 0 takes any free one.
    StatusServer(const relay::HostPort& address, std::string token, Operations operations);
    ~StatusServer();
    StatusServer(const StatusServer&) = delete;
    StatusServer& operator=(const StatusServer&) = delete;

    void start();
    /// False when a client still holds a connection after `grace`: the server must then not be destroyed.
    bool stop(std::chrono::milliseconds grace);

    std::uint16_t port() const;

private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

}  // namespace postern::agent
