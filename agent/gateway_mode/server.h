// The HTTP server under gateway mode: sockets, TLS, limits, and who may ask.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include <tl/expected.hpp>

#include "agent/gateway_mode/mode.h"
#include "agent/settings/settings.h"
#include "relay/net/tls.h"
#include "sync/base/clock.h"

namespace postern::agent {

/// What a reload can change, read from the files the settings name.
struct GatewayModeTerms {
    relay::net::TlsContext tls;           // as of the listeners; null: plain HTTP
    std::vector<relay::Network> clients;  // the primaries' addresses
    std::string user;
    Credentials credentials;
};

/// The error says in words which file is wrong.
tl::expected<GatewayModeTerms, std::string> gateway_mode_terms(const Settings& settings);

/// Serves on its own threads, one request per connection, as HttpDoor does. The connection of a stranger is
/// closed before anything is read from it.
class GatewayModeServer {
public:
    /// Binds; throws std::runtime_error in words when it cannot. Port 0 takes any free one. `messages` and
    /// `tell` as in GatewayMode.
    GatewayModeServer(const relay::HostPort& address, GatewayModeTerms terms,
                      std::function<std::uint64_t()> messages,
                      std::function<void(const GatewayModeEvent&)> tell, const base::Clock& clock);
    ~GatewayModeServer();  // stop()
    GatewayModeServer(const GatewayModeServer&) = delete;
    GatewayModeServer& operator=(const GatewayModeServer&) = delete;

    void start();
    /// Cuts off what is going on.
    void stop();
    /// In force from the next connection on.
    void reload(GatewayModeTerms terms);

    std::uint16_t port() const;

private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

}  // namespace postern::agent
