#include "tests/simulation/wire.h"

#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <asio/write.hpp>
#include <stdexcept>
#include <tuple>
#include <utility>
#include <vector>

#include "relay/net/timer.h"

namespace postern::simulation {

namespace {

/// So long pieces are late, longer than the gateway has patience; what has not gone by then goes at once: in
/// days nobody is interested in it any more.
constexpr auto slow_at_most = std::chrono::minutes(15);
/// Commands and beginnings go in pieces of some octets, the rest of what is long in larger ones.
constexpr std::size_t tiny_until = 2000, tiny = 150;
/// What has come is read within the same moment.
constexpr auto unread = std::chrono::milliseconds(1);

}  // namespace

bool Arrival::lost() const { return !came || (over && *over - *came <= unread); }

std::shared_ptr<const Arrival> Passage::expect(std::size_t octet) {
    return expected_.emplace_back(std::make_shared<Arrival>(Arrival{octet, {}, over_}));
}

void Passage::pass(std::size_t count, base::Moment now) {
    for (const auto& one : expected_)
        if (!one->came && one->octet <= count) one->came = now;
}

void Passage::end(base::Moment now) {
    if (over_) return;
    over_ = now;
    for (const auto& one : expected_) one->over = now;
}

std::pair<Socket, Socket> socket_pair(io_context& first, io_context& second) {
    std::array<int, 2> ends{};
    if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()) != 0)
        throw std::runtime_error("no pair of sockets can be made");
    const asio::generic::stream_protocol protocol(AF_UNIX, 0);
    return {Socket(first, protocol, ends[0]), Socket(second, protocol, ends[1])};
}

awaitable<std::error_code> write_all(Socket& to, std::string_view octets) {
    std::error_code error;
    if (!to.native_non_blocking()) to.native_non_blocking(true, error);
    const ssize_t gone =
        error ? 0 : ::send(to.native_handle(), octets.data(), octets.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    if (gone > 0) octets.remove_prefix(static_cast<std::size_t>(gone));
    if (octets.empty()) co_return std::error_code();
    std::size_t rest = 0;
    std::tie(error, rest) = co_await asio::async_write(to, asio::buffer(octets), relay::net::as_value);
    co_return error;
}

Wire::Wire(io_context& io, const base::Clock& clock, Socket gateway, Socket peer, Fate fate, std::string name,
           std::shared_ptr<bool> touched)
    : io_(io),
      clock_(clock),
      gateway_(std::move(gateway)),
      peer_(std::move(peer)),
      fate_(fate),
      name_(std::move(name)),
      touched_(std::move(touched)) {}

std::string Wire::text() const {
    constexpr std::array troubles{"", ", drops", ", resets", ", stalls"};
    return name_ + troubles[static_cast<std::size_t>(fate_.trouble)] +
           (fate_.trouble == Trouble::none ? ""
                                           : (fate_.towards_gateway ? " towards us at " : " towards it at ") +
                                                 std::to_string(fate_.at)) +
           ", pieces of " + std::to_string(fate_.piece) + " after " + std::to_string(fate_.latency.count()) +
           " ms, " + std::to_string(counts_[0]) + " octets there, " + std::to_string(counts_[1]) + " back";
}

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
    *touched_ = true;
    co_await write_all(gateway_, {&octet, 1});
}

void Wire::hang_up() {
    passage_->end(clock_.now());
    *touched_ = true;
    std::error_code ignored;
    gateway_.shutdown(Socket::shutdown_both, ignored);
}

void Wire::cut() {
    passage_->end(clock_.now());
    *touched_ = true;
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
    std::chrono::milliseconds late{0};
    for (;;) {
        auto [error, octets] = co_await from.async_read_some(asio::buffer(buffer), relay::net::as_value);
        if (error) break;
        if (fate_.latency.count() > 0 && late < slow_at_most) {
            timer.expires_after(fate_.latency);
            co_await timer.async_wait(relay::net::as_value);
            late += fate_.latency;
            if (late >= slow_at_most) buffer.resize(Fate().piece);
        }
        if (count > tiny_until) buffer.resize(std::max(buffer.size(), tiny));
        const bool over = fated && count + octets >= fate_.at;
        const std::size_t passed = over ? fate_.at - count : octets;
        *touched_ = true;
        const auto failed = co_await write_all(to, {buffer.data(), passed});
        *touched_ = true;
        if (failed) break;
        count += passed;
        if (towards_gateway) passage_->pass(count, clock_.now());
        if (!over) continue;
        if (fate_.trouble == Trouble::stall) co_return;  // both wait for each other
        if (fate_.trouble == Trouble::drop) break;
        cut();  // what was not read yet makes it a reset for the other one
        co_return;
    }
    // What still comes through, when one of the ways has ended, counts nothing.
    passage_->end(clock_.now());
    *touched_ = true;
    std::error_code ignored;
    to.shutdown(Socket::shutdown_send, ignored);
    from.shutdown(Socket::shutdown_receive, ignored);
}

}  // namespace postern::simulation
