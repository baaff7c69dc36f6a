#include "relay/delivery/target.h"

#include <ifaddrs.h>
#include <netinet/in.h>

#include <algorithm>
#include <asio/ip/network_v4.hpp>
#include <asio/ip/network_v6.hpp>
#include <map>
#include <set>

#include "relay/delivery/route.h"
#include "relay/egress/reply_rules.h"
#include "relay/net/address_range.h"
#include "relay/security/dane.h"
#include "relay/security/transport.h"

namespace postern::relay {

namespace {

constexpr std::size_t targets_max = 40;
constexpr std::size_t lookups_max = 10;  // exchangers of one domain; each may take dns.timeout several times

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

/// A transient reason outweighs a permanent one: as long as anything may still turn out well, mail waits.
void note(Reply& trouble, Reply other) {
    if (trouble.status.klass != 4) trouble = std::move(other);
}

/// The sender would rather have it arrive than be safe: no policy of the receiver's stands in its way, but
/// ours does.
HostPolicy waived(HostPolicy base) {
    if (base.tls == ClientTls::opportunistic) base.origin = "TLS-Required: No";
    return base;
}

HostPolicy wished(HostPolicy policy, TlsWish wish) {
    bool proven =
        policy.tls == ClientTls::dane || policy.tls == ClientTls::verify || policy.tls == ClientTls::implicit;
    if (wish == TlsWish::required && !proven) {
        policy.tls = ClientTls::verify;
        policy.origin = "REQUIRETLS";
        policy.testing = false;
    }
    return policy;
}

/// Connections are shared only by those who demand the same of a host.
std::string demands_of(const HostPolicy& policy, const std::string& host, const std::string& domain) {
    std::string names;
    if (policy.names != std::vector<std::string>{host})
        for (const auto& name : policy.names) names += ' ' + name;
    switch (policy.tls) {
        case ClientTls::opportunistic:
            return policy.origin == "TLS-Required: No" ? policy.origin : std::string();
        case ClientTls::off: return "off";
        case ClientTls::required: return "required";
        case ClientTls::verify:
        case ClientTls::implicit: return "verify" + names;
        case ClientTls::dane: break;
    }
    // A certificate may be for the recipients' domain: then what was proven is proven for that domain only.
    bool for_domain = std::any_of(policy.tlsa.begin(), policy.tlsa.end(),
                                  [](const net::TlsaRecord& record) { return record.usage == 2; });
    return for_domain ? "dane for " + domain : "dane";
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

class Search {
public:
    Search(Surroundings around, TlsWish wish) : around_(std::move(around)), wish_(wish) {}

    net::awaitable<Targets> exchangers(std::string domain);
    net::awaitable<Targets> configured(std::string key, HostPort address, HostPolicy policy);

private:
    net::awaitable<void> add(Exchanger exchanger, std::uint16_t port, HostPolicy base,
                             std::optional<StsPolicy> sts, std::uint16_t preference);
    bool ours(const net::AddressAnswer& answer, std::uint16_t port) const {
        return std::any_of(answer.addresses.begin(), answer.addresses.end(),
                           [&](const auto& address) { return around_.ours(net::Endpoint(address, port)); });
    }

    Surroundings around_;
    TlsWish wish_;
    Targets out_;
    bool self_ = false;  // the last host added leads back here
};

/// Appends the host's addresses. Why it has none goes to the trouble.
net::awaitable<void> Search::add(Exchanger exchanger, std::uint16_t port, HostPolicy base,
                                 std::optional<StsPolicy> sts, std::uint16_t preference) {
    const std::string& host = exchanger.host;
    net::AddressAnswer answer = co_await around_.resolver.addresses(host);
    self_ = ours(answer, port) || (!exchanger.domain.empty() && host == lower(around_.settings->hostname));
    if (self_) co_return;
    if (answer.status == net::Lookup::transient)
        note(out_.trouble, transient(4, 3, "cannot look up " + host + ": " + answer.why));
    else if (answer.status != net::Lookup::found)
        note(out_.trouble, permanent(4, 4, "cannot look up " + host + ": " + answer.why));
    if (answer.addresses.empty()) co_return;

    std::optional<net::TlsaAnswer> tlsa;
    bool dane = base.tls == ClientTls::dane ||
                (!exchanger.domain.empty() && wants_dane(base, around_.settings->delivery));
    if (dane && (wish_ != TlsWish::optional || base.tls == ClientTls::dane))
        tlsa = co_await find_tlsa(around_.resolver, host, port, answer);
    auto policy =
        std::make_shared<HostPolicy>(wished(exchanger_policy(base, exchanger, sts, answer, tlsa), wish_));
    if (!policy->barred.empty()) {
        out_.barred = true;
        note(out_.trouble, transient(7, 5, policy->barred));
        co_return;
    }
    for (const auto& address : answer.addresses)
        if (out_.list.size() < targets_max)
            out_.list.push_back(Target{host,
                                       net::Endpoint(address, port),
                                       policy,
                                       preference,
                                       demands_of(*policy, host, exchanger.domain),
                                       {},
                                       {}});
}

net::awaitable<Targets> Search::exchangers(std::string domain) {
    const DeliverySettings& delivery = around_.settings->delivery;
    for (const auto& destination : around_.settings->destinations)
        if (destination.domain == domain) {
            out_.connections = destination.connections;
            out_.messages_per_minute = destination.messages_per_minute;
        }
    HostPolicy base = configured_policy(*around_.settings, domain);
    if (wish_ == TlsWish::optional) base = waived(std::move(base));
    net::MxAnswer answer;
    if (domain.starts_with('[')) {
        std::string address = literal(domain);
        if (address.empty()) {
            out_.trouble = permanent(1, 2, domain + " is not an address");
            co_return std::move(out_);
        }
        answer.exchangers.push_back(net::MailExchanger{0, address});
    } else {
        answer = co_await around_.resolver.mx(domain);
        if (answer.status == net::Lookup::transient) {
            out_.trouble =
                transient(4, 3, "cannot look up the mail exchangers of " + domain + ": " + answer.why);
            co_return std::move(out_);
        }
        if (answer.status == net::Lookup::no_name) {
            out_.trouble = permanent(1, 2, "the domain " + domain + " does not exist");
            co_return std::move(out_);
        }
        if (answer.exchangers.size() == 1 && answer.exchangers.front().host == ".") {
            out_.trouble = permanent(1, 10, "the domain " + domain + " accepts no mail (null MX)");
            co_return std::move(out_);
        }
    }
    // Without any MX the domain's own address stands in for it (RFC 5321 §5.1).
    bool implied = answer.exchangers.empty();
    if (implied) answer.exchangers.push_back(net::MailExchanger{0, domain});

    std::optional<StsPolicy> sts;
    if (wants_sts(base, delivery) && !domain.starts_with('[') && wish_ != TlsWish::optional)
        sts = (co_await around_.policies.find(around_.resolver, domain)).policy;
    std::size_t looked_up = 0;
    std::set<std::string> hosts;
    for (std::size_t at = 0; at < answer.exchangers.size(); ++at) {
        const net::MailExchanger& one = answer.exchangers[at];
        if (one.host == "." || ++looked_up > lookups_max) continue;
        hosts.insert(one.host);
        std::size_t before = out_.list.size();
        Exchanger exchanger{one.host, domain, answer.secure};
        co_await add(std::move(exchanger), delivery.port, base, sts, one.preference);
        if (!self_) continue;
        // Hosts that are no better than ourselves would only give the mail back (RFC 5321 §5.1).
        out_.list.resize(before);
        while (before > 0 &&
               std::any_of(answer.exchangers.begin(), answer.exchangers.end(), [&](const auto& other) {
                   return other.host == out_.list[before - 1].host && other.preference >= one.preference;
               }))
            out_.list.resize(--before);
        note(out_.trouble,
             permanent(4, 6, "the mail exchangers of " + domain + " lead back to this gateway"));
        break;
    }
    if (out_.list.empty() && implied && out_.trouble.status == EnhancedStatus{5, 4, 4})
        out_.trouble =
            permanent(1, 2, "the domain " + domain + " has neither mail exchangers nor an address");
    for (const auto& host : hosts) out_.exchangers += (out_.exchangers.empty() ? "" : ",") + host;
    out_.site = site_of(out_.list);
    for (const auto& receiver : delivery.receivers)
        if (std::all_of(hosts.begin(), hosts.end(),
                        [&](const std::string& host) { return matches_glob(receiver, host, true); })) {
            out_.exchangers = receiver;
            break;
        }
    if (wish_ == TlsWish::required) out_.site += " (REQUIRETLS)";
    co_return std::move(out_);
}

/// A next hop from the configuration that cannot be used is a fault to be mended, not a verdict about mail.
net::awaitable<Targets> Search::configured(std::string key, HostPort address, HostPolicy policy) {
    out_.exchangers = key;
    out_.site = key + (wish_ == TlsWish::required ? " (REQUIRETLS)" : "");
    Exchanger exchanger{lower(address.host), {}, true};
    co_await add(std::move(exchanger), address.port, std::move(policy), std::nullopt, 0);
    if (self_) out_.trouble = transient(4, 6, key + " leads back to this gateway");
    out_.trouble.status.klass = 4;
    co_return std::move(out_);
}

std::vector<asio::ip::address> own_addresses() {
    std::vector<asio::ip::address> out;
    ifaddrs* list = nullptr;
    if (getifaddrs(&list) != 0) return out;
    for (const ifaddrs* one = list; one != nullptr; one = one->ifa_next) {
        if (one->ifa_addr == nullptr) continue;
        if (one->ifa_addr->sa_family == AF_INET) {
            const auto* four = reinterpret_cast<const sockaddr_in*>(one->ifa_addr);
            out.emplace_back(asio::ip::address_v4(ntohl(four->sin_addr.s_addr)));
        } else if (one->ifa_addr->sa_family == AF_INET6) {
            const auto* six = reinterpret_cast<const sockaddr_in6*>(one->ifa_addr);
            asio::ip::address_v6::bytes_type bytes{};
            std::copy_n(six->sin6_addr.s6_addr, bytes.size(), bytes.begin());
            out.emplace_back(asio::ip::address_v6(bytes));
        }
    }
    freeifaddrs(list);
    return out;
}

}  // namespace

std::string Target::text() const {
    return host + '[' + endpoint.address().to_string() + "]:" + std::to_string(endpoint.port());
}

std::string network_of(const asio::ip::address& address, unsigned short six) {
    return address.is_v4() ? asio::ip::network_v4(address.to_v4(), 24).canonical().to_string()
                           : asio::ip::network_v6(address.to_v6(), six).canonical().to_string();
}

bool permits(const std::vector<Target>& list, const Target& target) {
    return std::any_of(list.begin(), list.end(), [&](const Target& one) {
        return one.host == target.host && one.demands == target.demands;
    });
}

std::string origin_of(const Settings& settings, const std::string& key) {
    auto address = [](const HostPort& at) { return at.host + ':' + std::to_string(at.port); };
    if (key.starts_with("gateway:")) {
        const GatewaySettings* one = find_gateway(settings, std::string_view(key).substr(8));
        if (one == nullptr || !one->enabled) return {};
        return address(one->address) + '\n' + std::string(in_words(one->tls)) + '\n' + one->username + '\n' +
               one->password_file.string() + (one->allow_insecure_auth ? "\ninsecure" : "");
    }
    if (!key.starts_with("primary:")) return {};
    const PrimarySettings* one = find_primary(settings, std::string_view(key).substr(8));
    return one == nullptr ? std::string()
                          : address(one->deliver_to) + '\n' + std::string(in_words(settings.delivery.tls));
}

Families families_of(const std::vector<Target>& targets) {
    Families out{false, false};
    for (const auto& target : targets) (target.endpoint.address().is_v4() ? out.four : out.six) = true;
    return out;
}

TlsWish tls_wish(const Envelope& envelope) {
    if (envelope.require_tls) return TlsWish::required;
    return envelope.tls_optional ? TlsWish::optional : TlsWish::none;
}

IsOurs our_listeners(const Settings& settings) {
    std::vector<std::pair<asio::ip::address, std::uint16_t>> ours;
    for (const auto& listener : settings.listeners) {
        std::error_code error;
        auto address = asio::ip::make_address(listener.address.host, error);
        if (error) continue;
        if (!address.is_unspecified()) {
            ours.emplace_back(address, listener.address.port);
            continue;
        }
        for (const auto& own : own_addresses()) ours.emplace_back(own, listener.address.port);
    }
    return [ours = std::move(ours)](const net::Endpoint& endpoint) {
        return std::find(ours.begin(), ours.end(), std::pair(endpoint.address(), endpoint.port())) !=
               ours.end();
    };
}

net::awaitable<Targets> find_targets(Surroundings around, std::string key, TlsWish wish) {
    std::size_t colon = key.find(':');
    std::string kind = key.substr(0, colon);
    std::string name = colon == std::string::npos ? std::string() : key.substr(colon + 1);
    SettingsPtr settings = around.settings;
    Search search(std::move(around), wish);
    if (kind == "mx") co_return co_await search.exchangers(name);
    if (kind == "gateway") {
        const GatewaySettings* gateway = find_gateway(*settings, name);
        if (gateway != nullptr && gateway->enabled) {
            HostPolicy policy;
            policy.tls = gateway->tls;
            policy.origin = "gateway " + name;
            policy.names = {gateway->address.host};
            Targets out = co_await search.configured(key, gateway->address, std::move(policy));
            for (auto& target : out.list) {
                target.origin = origin_of(*settings, key);
                if (!gateway->username.empty())
                    target.login =
                        Login{gateway->username, gateway->password_file, gateway->allow_insecure_auth};
            }
            out.connections = gateway->connections;
            out.messages_per_minute = gateway->messages_per_minute;
            co_return out;
        }
    } else if (const PrimarySettings* primary = find_primary(*settings, name); primary != nullptr) {
        HostPolicy policy;
        policy.tls = settings->delivery.tls;
        policy.origin = "delivery.tls";
        Targets out = co_await search.configured(key, primary->deliver_to, std::move(policy));
        for (auto& target : out.list) target.origin = origin_of(*settings, key);
        co_return out;
    }
    Targets out;
    out.site = key;
    out.trouble = transient(3, 5, "the configuration no longer has a " + key);
    co_return out;
}

}  // namespace postern::relay
