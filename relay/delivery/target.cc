#include "relay/delivery/target.h"

#include "relay/delivery/route.h"
#include "relay/net/address_range.h"

namespace postern::relay {

namespace {

constexpr std::size_t targets_max = 40;
constexpr std::size_t lookups_max = 10;  // exchangers of one domain; each may take dns.timeout twice

struct NextHop {
    HostPort address;
    ClientTls tls;
};

/// The address inside "[192.0.2.1]" or "[IPv6:2001:db8::1]" (RFC 5321 §4.1.3), "" for anything else.
std::string literal(const std::string& domain) {
    if (domain.size() < 3 || domain.front() != '[' || domain.back() != ']') return {};
    std::string inside = domain.substr(1, domain.size() - 2);
    if (lower(inside.substr(0, 5)) == "ipv6:") inside = inside.substr(5);
    return is_ip_literal(inside) ? inside : std::string();
}

Reply permanent(std::uint16_t subject, std::uint16_t detail, std::string text) {
    return Reply{0, {5, subject, detail}, std::move(text)};
}
Reply transient(std::uint16_t subject, std::uint16_t detail, std::string text) {
    return Reply{0, {4, subject, detail}, std::move(text)};
}

/// Appends the host's addresses. What could not be found out goes to `trouble`.
net::awaitable<void> add(net::Resolver& resolver, NextHop hop, Targets& out) {
    net::AddressAnswer answer = co_await resolver.addresses(hop.address.host);
    for (const auto& address : answer.addresses)
        if (out.list.size() < targets_max)
            out.list.push_back(Target{hop.address.host, net::Endpoint(address, hop.address.port), hop.tls});
    if (answer.status == net::Lookup::transient)
        out.trouble = transient(4, 3, "cannot look up " + hop.address.host + ": " + answer.why);
    else if (answer.status != net::Lookup::found && out.trouble.status.klass != 4)
        out.trouble = permanent(4, 4, "cannot look up " + hop.address.host + ": " + answer.why);
}

net::awaitable<Targets> exchangers(net::Resolver& resolver, SettingsPtr settings, std::string domain) {
    Targets out;
    const DeliverySettings& delivery = settings->delivery;
    if (domain.starts_with('[')) {
        std::string address = literal(domain);
        NextHop hop{HostPort{address, delivery.port}, delivery.tls};
        if (address.empty())
            out.trouble = permanent(1, 2, domain + " is not an address");
        else
            co_await add(resolver, std::move(hop), out);
        co_return out;
    }
    net::MxAnswer answer = co_await resolver.mx(domain);
    switch (answer.status) {
        case net::Lookup::transient:
            out.trouble =
                transient(4, 3, "cannot look up the mail exchangers of " + domain + ": " + answer.why);
            co_return out;
        case net::Lookup::no_name:
            out.trouble = permanent(1, 2, "the domain " + domain + " does not exist");
            co_return out;
        case net::Lookup::no_data: {
            // Without any MX the domain's own address stands in for it (RFC 5321 §5.1).
            NextHop hop{HostPort{domain, delivery.port}, delivery.tls};
            co_await add(resolver, std::move(hop), out);
            if (out.list.empty() && out.trouble.status.klass == 5)
                out.trouble =
                    permanent(1, 2, "the domain " + domain + " has neither mail exchangers nor an address");
            co_return out;
        }
        case net::Lookup::found: break;
    }
    if (answer.exchangers.size() == 1 && answer.exchangers.front().host == ".") {
        out.trouble = permanent(1, 10, "the domain " + domain + " accepts no mail (null MX)");
        co_return out;
    }
    std::size_t looked_up = 0;
    for (const auto& exchanger : answer.exchangers) {
        if (exchanger.host == "." || ++looked_up > lookups_max) continue;
        NextHop hop{HostPort{exchanger.host, delivery.port}, delivery.tls};
        co_await add(resolver, std::move(hop), out);
    }
    co_return out;
}

}  // namespace

std::string Target::text() const {
    return host + '[' + endpoint.address().to_string() + "]:" + std::to_string(endpoint.port());
}

net::awaitable<Targets> find_targets(net::Resolver& resolver, SettingsPtr settings, std::string key) {
    std::vector<NextHop> hops;
    std::size_t colon = key.find(':');
    std::string kind = key.substr(0, colon);
    std::string name = colon == std::string::npos ? std::string() : key.substr(colon + 1);
    if (kind == "mx") co_return co_await exchangers(resolver, settings, name);

    if (kind == "gateway") {
        if (const GatewaySettings* gateway = find_gateway(*settings, name);
            gateway != nullptr && gateway->enabled)
            hops.push_back(NextHop{gateway->address, gateway->tls});
    } else if (kind == "gateways") {
        for (const auto& gateway : settings->gateways)
            if (gateway.enabled && gateway.type == GatewayType::round_robin)
                hops.push_back(NextHop{gateway.address, gateway.tls});
    } else if (const PrimarySettings* primary = find_primary(*settings, name); primary != nullptr) {
        hops.push_back(NextHop{primary->deliver_to, settings->delivery.tls});
    }
    Targets out;
    out.trouble = transient(3, 5, "the configuration no longer has a " + key);
    for (auto& hop : hops) co_await add(resolver, hop, out);
    // A next hop from the configuration that cannot be looked up is a fault to be mended, not a verdict about
    // mail.
    if (out.list.empty() && out.trouble.status.klass == 5) out.trouble.status.klass = 4;
    co_return out;
}

}  // namespace postern::relay
