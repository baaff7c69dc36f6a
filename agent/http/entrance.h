// The place that a door is at, and what keeps it from being open.
#pragma once

#include <asio/basic_socket_acceptor.hpp>
#include <atomic>
#include <cstdint>
#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <variant>

#include "agent/http/place.h"
#include "relay/net/asio.h"
#include "relay/settings.h"

namespace postern::agent {

/// Used on one loop, but for what is of any thread.
class Entrance {
public:
    using Place = std::variant<relay::HostPort, UnixPlace>;

    /// `told` gets why the place is not open, and "" when it is, after trouble; each once.
    Entrance(relay::net::io_context& io, Place place, std::function<void(const std::string& trouble)> told);

    /// False when the place cannot be had now.
    bool open();
    bool is_open() const { return acceptor_.is_open(); }
    /// nullopt when nobody can be let in just now: it has been closed, or descriptors are used up.
    relay::net::awaitable<std::optional<relay::net::Socket>> accept();
    void close();
    /// Takes away what open() made in the file system. When the loop has ended.
    void clear_away();

    std::string trouble() const;                  // why it is not open, "" when it is; any thread
    std::uint16_t port() const { return port_; }  // of a TCP place; 0 while it is not open; any thread

private:
    using Protocol = relay::net::Socket::protocol_type;

    const Place place_;
    const std::function<void(const std::string&)> told_;
    asio::basic_socket_acceptor<Protocol> acceptor_;
    bool made_ = false;  // the socket of a path is ours
    std::atomic<std::uint16_t> port_{0};
    mutable std::mutex mutex_;  // over trouble_
    std::string trouble_;
};

}  // namespace postern::agent
