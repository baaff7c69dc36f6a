#include "agent/http/entrance.h"

#include <sys/socket.h>

#include <filesystem>
#include <utility>

#include "sync/base/ip_address.h"

namespace postern::agent {
namespace {

int family_of(const Entrance::Place& place) {
    const auto* address = std::get_if<relay::HostPort>(&place);
    if (address == nullptr) return AF_UNIX;
    return base::is_v6_literal(address->host) ? AF_INET6 : AF_INET;
}

}  // namespace

Entrance::Entrance(relay::net::io_context& io, Place place, std::function<void(const std::string&)> told)
    : place_(std::move(place)), told_(std::move(told)), acceptor_(io) {}

bool Entrance::open() {
    auto result = std::visit([](const auto& where) { return open_place(where); }, place_);
    if (result) {
        acceptor_.assign(Protocol(family_of(place_), 0), result->socket.release());
        port_ = result->port;
        made_ = true;
    }
    const std::string why = result ? "" : result.error();
    bool news = false;
    {
        const std::lock_guard lock(mutex_);
        news = why.empty() != trouble_.empty();
        trouble_ = why;
    }
    if (news) told_(why);
    return result.has_value();
}

relay::net::awaitable<std::optional<relay::net::Socket>> Entrance::accept() {
    auto [error, socket] = co_await acceptor_.async_accept(relay::net::as_value);
    if (error) co_return std::nullopt;
    co_return std::move(socket);
}

void Entrance::close() {
    asio::error_code ignored;
    acceptor_.close(ignored);
}

void Entrance::clear_away() {
    std::error_code ignored;
    if (const auto* place = std::get_if<UnixPlace>(&place_); place != nullptr && made_)
        std::filesystem::remove(place->path, ignored);
}

std::string Entrance::trouble() const {
    const std::lock_guard lock(mutex_);
    return trouble_;
}

}  // namespace postern::agent
