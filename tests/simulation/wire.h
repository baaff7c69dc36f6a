// One connection of the simulated network: octets go through it in pieces, late, or not at all.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "relay/net/asio.h"
#include "sync/base/clock.h"
#include "tests/simulation/random.h"

namespace postern::simulation {

using relay::net::awaitable;
using relay::net::io_context;
using relay::net::Socket;

enum class Trouble : std::uint8_t { none, drop, reset, stall };

/// What becomes of a connection: at the octet `at` of one direction, counted from the connection's begin.
struct Fate {
    Trouble trouble = Trouble::none;
    bool towards_gateway = true;
    std::size_t at = 0;
    std::size_t piece = 16 * 1024;         // octets that go at once
    std::chrono::milliseconds latency{0};  // of each piece
};

/// What became of an octet on its way to the gateway.
struct Arrival {
    std::size_t octet;                 // counted from the connection's begin, from 1 on
    std::optional<base::Moment> came;  // to where the gateway can read it
    std::optional<base::Moment> over;  // from then on nobody reads there
    /// The gateway may not know of it.
    bool lost() const;
};

/// The way to the gateway; it outlives the connection.
class Passage {
public:
    std::shared_ptr<const Arrival> expect(std::size_t octet);
    void pass(std::size_t count, base::Moment now);  // so many have come in all
    void end(base::Moment now);

private:
    std::vector<std::shared_ptr<Arrival>> expected_;
    std::optional<base::Moment> over_;
};

/// Used on the simulating thread.
class Wire : public std::enable_shared_from_this<Wire> {
public:
    /// `gateway` and `peer` are its ends for it, whose other ends those two have.
    /// `touched` is set with whatever the gateway may notice.
    Wire(io_context& io, const base::Clock& clock, Socket gateway, Socket peer, Fate fate, std::string name,
         std::shared_ptr<bool> touched);
    ~Wire() { *touched_ = true; }

    void start();
    awaitable<void> tell_gateway(char octet);  // before start()
    void cut();                                // both ends are closed
    /// The gateway's process is gone: what it wrote comes through.
    void hang_up();
    std::shared_ptr<Passage> passage() const { return passage_; }
    std::string text() const;  // which it is, and its fate

private:
    awaitable<void> pump(Socket& from, Socket& to, bool towards_gateway);

    io_context& io_;
    const base::Clock& clock_;
    Socket gateway_, peer_;
    const Fate fate_;
    const std::string name_;
    const std::shared_ptr<bool> touched_;
    std::size_t counts_[2] = {0, 0};
    const std::shared_ptr<Passage> passage_ = std::make_shared<Passage>();
};

/// Writes all of it; at once as far as there is room for it.
awaitable<std::error_code> write_all(Socket& to, std::string_view octets);

/// Two ends of one connection.
std::pair<Socket, Socket> socket_pair(io_context& first, io_context& second);

}  // namespace postern::simulation
