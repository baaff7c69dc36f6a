#include "relay/reception/places.h"

#include <algorithm>
#include <asio/ip/address.hpp>

#include "relay/net/addresses.h"
#include "sync/base/ensure.h"

namespace postern::relay {

namespace {

std::string primary_key(const std::string& name) { return "primary " + name; }
std::string address_key(const std::string& client) { return "address " + client; }
std::string network_key(const std::string& client) { return "network " + network_of(client); }

}  // namespace

std::string network_of(std::string_view client) {
    std::error_code error;
    auto address = asio::ip::make_address(std::string(client), error);
    if (error) return std::string(client);
    return network_of(plain(address));
}

std::size_t Places::held(const std::string& key) const {
    auto found = held_.find(key);
    return found == held_.end() ? 0 : found->second;
}

void Places::change(const std::string& key, int by) {
    auto found = held_.try_emplace(key, 0).first;
    ENSURE(by > 0 || found->second > 0, "a place is given back by whoever took it");
    found->second += static_cast<std::size_t>(by);
    if (found->second == 0) held_.erase(found);
}

std::optional<Rule> Places::take(const Settings& settings, const std::string& primary,
                                 const std::string& client) {
    const std::size_t limit = settings.accept.connections;
    const bool screens = !settings.screening.gateway.empty();
    const std::size_t ours = settings.primaries.size() + (screens ? 1 : 0);
    const std::size_t share = limit / (2 * std::max<std::size_t>(1, ours));
    std::size_t kept = 0;
    const auto keep = [&](const std::string& other) {
        if (other == primary) return;
        const std::size_t has = held(primary_key(other));
        kept += share > has ? share - has : 0;
    };
    for (const auto& other : settings.primaries) keep(other.name);
    if (screens) keep(std::string(screening_place));
    if (taken_ + kept >= limit) return Rule::connections;
    if (primary.empty()) {
        const std::size_t most = std::max<std::size_t>(1, limit / 4);
        if (strangers_ >= most || held(network_key(client)) >= std::max<std::size_t>(1, most / 5) ||
            held(address_key(client)) >= std::max<std::size_t>(1, most / 10))
            return Rule::stranger_connections;
        ++strangers_;
        change(network_key(client), 1);
        change(address_key(client), 1);
    } else {
        change(primary_key(primary), 1);
    }
    ++taken_;
    return std::nullopt;
}

void Places::give_back(const std::string& primary, const std::string& client) {
    ENSURE(taken_ > 0, "a place is given back once");
    --taken_;
    if (!primary.empty()) return change(primary_key(primary), -1);
    ENSURE(strangers_ > 0, "a stranger's place is given back once");
    --strangers_;
    change(network_key(client), -1);
    change(address_key(client), -1);
}

}  // namespace postern::relay
