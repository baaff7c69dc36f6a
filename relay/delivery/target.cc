#include "relay/delivery/target.h"

#include <algorithm>

#include "relay/delivery/route.h"
#include "relay/mail/route_key.h"

namespace postern::relay {

std::string Target::text() const {
    return host + '[' + endpoint.address().to_string() + "]:" + std::to_string(endpoint.port());
}

bool permits(const std::vector<Target>& list, const Target& target) {
    return std::any_of(list.begin(), list.end(), [&](const Target& one) {
        return one.host == target.host && one.demands == target.demands;
    });
}

std::string origin_of(const Settings& settings, const RouteKey& route) {
    auto address = [](const HostPort& at) { return at.host + ':' + std::to_string(at.port); };
    if (route.kind == RouteKey::Kind::gateway) {
        const GatewaySettings* one = find_gateway(settings, route.name);
        if (one == nullptr || !one->enabled) return {};
        return address(one->address) + '\n' + std::string(in_words(one->tls)) + '\n' + one->username + '\n' +
               one->password_file.string() + (one->allow_insecure_auth ? "\ninsecure" : "");
    }
    if (route.kind != RouteKey::Kind::primary) return {};
    const PrimarySettings* one = find_primary(settings, route.name);
    return one == nullptr ? std::string()
                          : address(one->deliver_to) + '\n' + std::string(in_words(settings.delivery.tls));
}

Families families_of(const std::vector<Target>& targets) {
    Families out{false, false};
    for (const auto& target : targets) (target.endpoint.address().is_v4() ? out.four : out.six) = true;
    return out;
}

TlsWish tls_wish(const Envelope& envelope) {
    if (envelope.demands_tls()) return TlsWish::required;
    return envelope.tls_optional ? TlsWish::optional : TlsWish::none;
}

IsOurs our_listeners(const Settings& settings, OwnAddresses& own) {
    std::vector<std::pair<asio::ip::address, std::uint16_t>> ours;
    for (const auto& listener : settings.listeners) {
        std::error_code error;
        auto address = asio::ip::make_address(listener.address.host, error);
        if (error) continue;
        if (!address.is_unspecified()) {
            ours.emplace_back(address, listener.address.port);
            continue;
        }
        for (const auto& one : own.list()) ours.emplace_back(one, listener.address.port);
    }
    return [ours = std::move(ours)](const net::Endpoint& endpoint) {
        return std::find(ours.begin(), ours.end(), std::pair(endpoint.address(), endpoint.port())) !=
               ours.end();
    };
}

}  // namespace postern::relay
