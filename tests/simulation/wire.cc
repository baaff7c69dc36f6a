#include "tests/simulation/wire.h"

#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <asio/write.hpp>
#include <stdexcept>
#include <utility>
#include <vector>

#include "relay/net/timer.h"

namespace postern::simulation {

std::pair<Socket, Socket> socket_pair(io_context& first, io_context& second) {
    std::array<int, 2> ends{};
    if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()) != 0)
        throw std::runtime_error("no pair of sockets can be made");
    const asio::generic::stream_protocol protocol(AF_UNIX, 0);
    return {Socket(first, protocol, ends[0]), Socket(second, protocol, ends[1])};
}

Wire::Wire(io_context& io, const base::Clock& clock, Socket gateway, Socket peer, Fate fate)
    : io_(io), clock_(clock), gateway_(std::move(gateway)), peer_(std::move(peer)), fate_(fate) {}

void Wire::start() {
    for (const bool towards_gateway : {false, true})
        asio::co_spawn(
            io_,
            [self = shared_from_this(), towards_gateway]() -> awaitable<void> {
                co_await self->pump(towards_gateway ? self->peer_ : self->gateway_,
                                    towards_gateway ? self->gateway_ : self->peer_, towards_gateway);
            },
            [self = shared_from_this()](const std::exception_ptr&) {});
}

awaitable<void> Wire::tell_gateway(char octet) {
    co_await asio::async_write(gateway_, asio::buffer(&octet, 1), relay::net::as_value);
}

void Wire::cut() {
    *broken_ = true;
    std::error_code ignored;
    gateway_.close(ignored);
    peer_.close(ignored);
}

awaitable<void> Wire::pump(Socket& from, Socket& to, bool towards_gateway) {
    const auto self = shared_from_this();
    std::vector<char> buffer(fate_.piece);
    std::size_t& count = counts_[towards_gateway ? 1 : 0];
    const bool fated = fate_.trouble != Trouble::none && fate_.towards_gateway == towards_gateway;
    relay::net::Timer timer(io_, clock_);
    for (;;) {
        auto [error, octets] = co_await from.async_read_some(asio::buffer(buffer), relay::net::as_value);
        if (error) break;
        if (fate_.latency.count() > 0) {
            timer.expires_after(fate_.latency);
            co_await timer.async_wait(relay::net::as_value);
        }
        const bool over = fated && count + octets >= fate_.at;
        const std::size_t passed = over ? fate_.at - count : octets;
        auto [failed, written] =
            co_await asio::async_write(to, asio::buffer(buffer.data(), passed), relay::net::as_value);
        count += written;
        if (failed) {
            *broken_ = true;
            break;
        }
        if (!over) continue;
        *broken_ = true;
        if (fate_.trouble == Trouble::stall) co_return;  // both wait for each other
        if (fate_.trouble == Trouble::drop) break;
        cut();  // what was not read yet makes it a reset for the other one
        co_return;
    }
    std::error_code ignored;
    to.shutdown(Socket::shutdown_send, ignored);
    from.shutdown(Socket::shutdown_receive, ignored);
}

}  // namespace postern::simulation
