// What lies beyond this machine, as relay sees it: given at construction, so that a simulation can put one in
// its place that drops, stalls, lies and is silent.
#pragma once

#include <memory>
#include <string>
#include <system_error>

#include <tl/expected.hpp>

#include "relay/net/asio.h"
#include "relay/net/name_service.h"
#include "relay/settings.h"

namespace postern::relay::net {

/// A connection that came in.
struct Arrival {
    Socket socket;
    Endpoint client;
};

/// Used from one thread; what waits there ends with an error when it is closed.
class Listener {
public:
    Listener() = default;
    Listener(const Listener&) = delete;
    Listener& operator=(const Listener&) = delete;
    virtual ~Listener() = default;

    /// Its socket is used on `io`, which may be another loop's.
    virtual awaitable<tl::expected<Arrival, std::error_code>> accept(io_context& io) = 0;
    virtual void close() = 0;
};

/// Any thread; what it gives is used on the loop it is for. It outlives whoever was given it.
class Outside {
public:
    Outside() = default;
    Outside(const Outside&) = delete;
    Outside& operator=(const Outside&) = delete;
    virtual ~Outside() = default;

    /// Opens the socket and connects it, from the address `from` unless that is "". Error::no_such_address
    /// when that is not one of this machine. Ends with an error when the socket is cancelled.
    virtual awaitable<std::error_code> connect(Socket& socket, Endpoint to, std::string from) = 0;
    /// `inherited`: a listening socket that is used instead of binding, -1: none.
    virtual tl::expected<std::unique_ptr<Listener>, std::error_code> listen(io_context& io, Endpoint at,
                                                                            int inherited) = 0;
    /// Throws std::runtime_error when a setting cannot be used.
    virtual std::shared_ptr<NameService> names(io_context& io, const DnsSettings& settings) = 0;
};

/// The machine's.
class SystemOutside final : public Outside {
public:
    awaitable<std::error_code> connect(Socket& socket, Endpoint to, std::string from) override;
    tl::expected<std::unique_ptr<Listener>, std::error_code> listen(io_context& io, Endpoint at,
                                                                    int inherited) override;
    std::shared_ptr<NameService> names(io_context& io, const DnsSettings& settings) override;
};

}  // namespace postern::relay::net
