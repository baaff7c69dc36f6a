#include "relay/delivery/target_lookup.h"

#include <algorithm>
#include <map>
#include <set>

#include "relay/delivery/host_lookup.h"
#include "relay/delivery/route.h"
#include "relay/egress/reply_rules.h"
#include "relay/security/transport.h"
#include "sync/base/ascii.h"
#include "sync/base/ip_address.h"

namespace postern::relay {

namespace {

constexpr std::size_t targets_max = 40;

/// The address inside "[192.0.2.1]" or "[IPv6:2001:db8::1]" (RFC 5321 §4.1.3), "" for anything else.
std::string literal(const std::string& domain) {
    if (domain.size() < 3 || domain.front() != '[' || domain.back() != ']') return {};
    std::string inside = domain.substr(1, domain.size() - 2);
    if (base::equal_ignoring_case(inside.substr(0, 5), "ipv6:")) inside = inside.substr(5);
    return base::is_ip_literal(inside) ? inside : std::string();
}

Reply permanent(std::uint16_t subject, std::uint16_t detail, std::string text) {
    return Reply{0, {5, subject, detail}, std::move(text)};
}
Reply transient(std::uint16_t subject, std::uint16_t detail, std::string text) {
    return Reply{0, {4, subject, detail}, std::move(text)};
}

/// A transient reason outweighs a permanent one: as long as anything may still turn out well, mail waits.
void note(Reply& trouble, Reply other) {
    if (trouble.status.category != 4) trouble = std::move(other);
}

/// The sender would rather have it arrive than be safe: no policy of the receiver's stands in its way, but
/// ours does.
HostPolicy waived(HostPolicy base) {
    if (base.tls == ClientTls::opportunistic) base.origin = "TLS-Required: No";
    return base;
}

/// The hosts that may be connected to, and nobody else's name.
std::string site_of(const std::vector<Target>& list) {
    std::map<std::string, std::set<std::string>> hosts;
    std::set<std::string> all;
    for (const auto& target : list) {
        hosts[target.host].insert(target.demands);
        all.insert(target.demands);
    }
    std::string out;
    for (const auto& [host, demands] : hosts) {
        out += (out.empty() ? "" : ",") + host;
        if (all.size() > 1)
            for (const auto& one : demands) out += one.empty() ? "" : " (" + one + ")";
    }
    if (all.size() == 1 && !all.begin()->empty()) out += " (" + *all.begin() + ")";
    return out;
}

/// Limits of the configuration for a domain of its own.
void take_limits(Targets& out, const Settings& settings, const std::string& domain) {
    for (const auto& destination : settings.destinations)
        if (destination.domain == domain) {
            out.connections = destination.connections;
            out.messages_per_minute = destination.messages_per_minute;
        }
}

/// The names of a domain's exchangers, its own where it has none (RFC 5321 §5.1), or why there is no mail for
/// it.
net::awaitable<net::MxAnswer> find_exchangers(net::Resolver& resolver, std::string domain, Reply& trouble) {
    net::MxAnswer answer;
    if (domain.starts_with('[')) {
        std::string address = literal(domain);
        if (address.empty())
            trouble = permanent(1, 2, domain + " is not an address");
        else
            answer.exchangers.push_back(net::MailExchanger{0, address});
        co_return answer;
    }
    answer = co_await resolver.mx(domain);
    if (answer.status == net::Lookup::transient)
        trouble = transient(4, 3, "cannot look up the mail exchangers of " + domain + ": " + answer.why);
    else if (answer.status == net::Lookup::no_name)
        trouble = permanent(1, 2, "the domain " + domain + " does not exist");
    else if (answer.exchangers.size() == 1 && answer.exchangers.front().host == ".")
        trouble = permanent(1, 10, "the domain " + domain + " accepts no mail (null MX)");
    else if (answer.exchangers.empty())
        answer.exchangers.push_back(net::MailExchanger{0, domain});
    co_return answer;
}

/// Hosts that are no better than ourselves would only give the mail back (RFC 5321 §5.1).
std::uint32_t better_than_ourselves(const std::vector<HostWanted>& hosts,
                                    const std::vector<HostFound>& found) {
    std::uint32_t limit = 0x10000;
    for (std::size_t at = 0; at < found.size(); ++at)
        if (found[at].self) limit = std::min<std::uint32_t>(limit, hosts[at].preference);
    return limit;
}

/// The hosts to look up, each name once.
std::vector<HostWanted> hosts_of(const net::MxAnswer& answer, const std::string& domain, std::uint16_t port,
                                 const HostPolicy& base, const StsKnown& sts, TlsWish wish) {
    std::vector<HostWanted> out;
    std::set<std::string> names;
    for (const auto& one : answer.exchangers)
        if (one.host != "." && names.insert(one.host).second)
            out.push_back(
                HostWanted{{one.host, domain, answer.secure}, port, one.preference, base, sts, wish});
    return out;
}

/// What the hosts of a domain have come to; pure.
void take_hosts(Targets& out, const std::vector<HostWanted>& hosts, const std::vector<HostFound>& found,
                const net::MxAnswer& answer, const std::string& domain) {
    const std::uint32_t limit = better_than_ourselves(hosts, found);
    for (std::size_t at = 0; at < found.size(); ++at) {
        if (hosts[at].preference >= limit) continue;
        for (const auto& target : found[at].targets)
            if (out.list.size() < targets_max) out.list.push_back(target);
        out.barred = out.barred || found[at].barred;
        if (found[at].barred && out.bars.size() < targets_max)
            out.bars.push_back({hosts[at].exchanger.host, found[at].bar});
        if (found[at].trouble.status.category != 0) note(out.trouble, found[at].trouble);
    }
    if (limit <= 0xffff)
        note(out.trouble, permanent(4, 6, "the mail exchangers of " + domain + " lead back to this gateway"));
    if (answer.cut)
        note(out.trouble, transient(4, 3, domain + " has more mail exchangers than are looked up at once"));
    const bool implied = answer.status == net::Lookup::no_data;
    if (out.list.empty() && implied && out.trouble.status == EnhancedStatus{5, 4, 4})
        out.trouble = permanent(1, 2, "the domain " + domain + " has neither mail exchangers nor an address");
    const bool only_ignored = !found.empty() && std::all_of(found.begin(), found.end(),
                                                            [](const auto& one) { return one.ignored; });
    if (only_ignored)
        out.trouble = permanent(
            4, 6, "the mail exchangers of " + domain + " lead nowhere: " + found.front().trouble.text);
}

/// What a verdict about our address is kept for: the hosts' names, or the receiver they all belong to.
std::string receiver_of(const std::vector<HostWanted>& hosts, const DeliverySettings& delivery) {
    std::set<std::string> names;
    for (const auto& one : hosts) names.insert(one.exchanger.host);
    for (const auto& receiver : delivery.receivers)
        if (std::all_of(names.begin(), names.end(),
                        [&](const std::string& host) { return matches_glob(receiver, host, true); }))
            return receiver;
    std::string out;
    for (const auto& host : names) out += (out.empty() ? "" : ",") + host;
    return out;
}

net::awaitable<Targets> exchangers(Surroundings around, TlsWish wish, std::string domain) {
    const DeliverySettings& delivery = around.settings->delivery;
    Targets out;
    take_limits(out, *around.settings, domain);
    const net::MxAnswer answer = co_await find_exchangers(around.resolver, domain, out.trouble);
    if (out.trouble.status.category != 0) co_return out;

    HostPolicy base = configured_policy(*around.settings, domain);
    if (wish == TlsWish::optional) base = waived(std::move(base));
    StsKnown sts;
    if (wants_sts(base, delivery) && !domain.starts_with('[') && wish != TlsWish::optional)
        sts = co_await around.policies.find(around.resolver, domain);

    const auto hosts = hosts_of(answer, domain, delivery.port, base, sts, wish);
    const auto found = co_await look_up_hosts(around, hosts);
    take_hosts(out, hosts, found, answer, domain);
    out.exchangers = receiver_of(hosts, delivery);
    out.site = site_of(out.list);
    if (wish == TlsWish::required) out.site += " (REQUIRETLS)";
    co_return out;
}

/// A next hop from the configuration that cannot be used is a fault to be mended, not a verdict about mail.
net::awaitable<Targets> configured(Surroundings around, TlsWish wish, std::string key, HostPort address,
                                   HostPolicy policy) {
    Targets out;
    out.exchangers = key;
    out.site = key + (wish == TlsWish::required ? " (REQUIRETLS)" : "");
    std::vector<HostWanted> hosts{
        HostWanted{{base::lower(address.host), {}, true}, address.port, 0, std::move(policy), {}, wish}};
    auto found = co_await look_up_hosts(std::move(around), std::move(hosts));
    out.list = std::move(found.front().targets);
    out.trouble = std::move(found.front().trouble);
    out.barred = found.front().barred;
    if (found.front().self) out.trouble = transient(4, 6, key + " leads back to this gateway");
    out.trouble.status.category = 4;
    co_return out;
}

}  // namespace

net::awaitable<Targets> find_targets(Surroundings around, RouteKey route, TlsWish wish) {
    const SettingsPtr settings = around.settings;
    std::string text = route.text();
    switch (route.kind) {
        case RouteKey::Kind::exchangers:
            co_return co_await exchangers(std::move(around), wish, std::move(route.name));
        case RouteKey::Kind::gateway: {
            const GatewaySettings* gateway = find_gateway(*settings, route.name);
            if (gateway == nullptr) break;
            if (!gateway->enabled) {
                Targets out;
                out.trouble = transient(3, 2, "the gateway " + route.name + " is disabled");
                out.site = std::move(text);
                co_return out;
            }
            // What is screened comes back, and what its sender wants of TLS counts from there on.
            if (route.name == settings->screening.gateway) wish = TlsWish::none;
            HostPolicy policy;
            policy.tls = gateway->tls;
            policy.origin = "gateway " + route.name;
            policy.names = {gateway->address.host};
            Targets out =
                co_await configured(std::move(around), wish, text, gateway->address, std::move(policy));
            for (auto& target : out.list) {
                target.origin = origin_of(*settings, route);
                if (!gateway->username.empty())
                    target.login =
                        Login{gateway->username, gateway->password_file, gateway->allow_insecure_auth};
            }
            out.connections = gateway->connections;
            out.messages_per_minute = gateway->messages_per_minute;
            co_return out;
        }
        case RouteKey::Kind::primary: {
            const PrimarySettings* primary = find_primary(*settings, route.name);
            if (primary == nullptr) break;
            HostPolicy policy;
            policy.tls = settings->delivery.tls;
            policy.origin = "delivery.tls";
            Targets out =
                co_await configured(std::move(around), wish, text, primary->deliver_to, std::move(policy));
            for (auto& target : out.list) target.origin = origin_of(*settings, route);
            co_return out;
        }
        case RouteKey::Kind::none:
        case RouteKey::Kind::gateways:
        case RouteKey::Kind::held: break;
    }
    Targets out;
    out.trouble = transient(3, 5, "the configuration no longer has a " + text);
    out.site = std::move(text);
    co_return out;
}

}  // namespace postern::relay
