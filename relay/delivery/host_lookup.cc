#include "relay/delivery/host_lookup.h"

#include <algorithm>

#include "relay/net/addresses.h"
#include "relay/net/timer.h"
#include "relay/security/dane.h"
#include "sync/base/ascii.h"

namespace postern::relay {

namespace {

/// For the other hosts once one can be used, and for all of them together: each look-up ends by itself, but a
/// host takes several.
constexpr std::chrono::seconds moment{3};
constexpr unsigned rounds = 5;

Reply no_host(std::uint8_t category, std::uint16_t subject, std::uint16_t detail, std::string text) {
    return Reply{0, {category, subject, detail}, std::move(text)};
}

/// The sender wants more than the policies do.
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

net::awaitable<HostFound> look_up_host(Surroundings around, HostWanted wanted) {
    HostFound out;
    const Exchanger& exchanger = wanted.exchanger;
    const std::string& host = exchanger.host;
    const bool foreign = !exchanger.domain.empty();  // named by others, not by the configuration
    out.self = foreign && host == base::lower(around.settings->hostname);
    if (out.self) co_return out;
    net::AddressAnswer answer = co_await around.resolver.addresses(host);
    for (auto& address : answer.addresses) {
        address = plain(address);
        out.self = out.self || around.ours(net::Endpoint(address, wanted.port));
    }
    if (out.self) co_return out;
    if (answer.status == net::Lookup::transient)
        out.trouble = no_host(4, 4, 3, "cannot look up " + host + ": " + answer.why);
    else if (answer.status != net::Lookup::found)
        out.trouble = no_host(5, 4, 4, "cannot look up " + host + ": " + answer.why);
    if (answer.addresses.empty()) co_return out;

    const DeliverySettings& delivery = around.settings->delivery;
    if (foreign) {
        const std::string first = answer.addresses.front().to_string();
        std::erase_if(answer.addresses, [&](const auto& address) {
            return must_ignore(delivery.ignore_addresses, *around.own, address);
        });
        out.ignored = answer.addresses.empty();
        if (out.ignored) {
            out.trouble =
                no_host(5, 4, 6, host + " leads to " + first + ", where no mail of others may be led");
            co_return out;
        }
    }

    std::optional<net::TlsaAnswer> tlsa;
    const bool dane = wanted.base.tls == ClientTls::dane || (foreign && wants_dane(wanted.base, delivery));
    if (dane && (wanted.wish != TlsWish::optional || wanted.base.tls == ClientTls::dane))
        tlsa = co_await find_tlsa(around.resolver, host, wanted.port, answer);
    auto policy = std::make_shared<HostPolicy>(
        wished(exchanger_policy(wanted.base, exchanger, wanted.sts, answer, tlsa), wanted.wish));
    if (!policy->barred.empty()) {
        out.barred = true;
        out.bar = policy;
        out.trouble = no_host(4, 7, 5, policy->barred);
        co_return out;
    }
    out.trouble = {};
    for (const auto& address : answer.addresses)
        out.targets.push_back(Target{host,
                                     net::Endpoint(address, wanted.port),
                                     policy,
                                     wanted.preference,
                                     demands_of(*policy, host, exchanger.domain),
                                     {},
                                     {}});
    co_return out;
}

}  // namespace

net::awaitable<std::vector<HostFound>> look_up_hosts(Surroundings around, std::vector<HostWanted> hosts) {
    struct Search {
        Search(const asio::any_io_executor& executor, const base::Clock& clock_)
            : clock(clock_), end(executor, clock) {}
        const base::Clock& clock;
        std::vector<HostFound> found;
        std::size_t missing = 0;
        std::exception_ptr fault;
        net::Timer end;
    };
    const auto executor = co_await asio::this_coro::executor;
    auto search = std::make_shared<Search>(executor, around.clock);
    search->missing = hosts.size();
    for (const auto& wanted : hosts)
        search->found.emplace_back().trouble =
            no_host(4, 4, 3, "cannot look up " + wanted.exchanger.host + " in time");
    search->end.expires_after(around.settings->dns.timeout * rounds);
    for (std::size_t at = 0; at < hosts.size(); ++at)
        asio::co_spawn(executor, look_up_host(around, hosts[at]),
                       [search, at](const std::exception_ptr& fault, HostFound found) {
                           if (fault) search->fault = fault;
                           const bool usable = !found.targets.empty();
                           search->found[at] = std::move(found);
                           if (--search->missing == 0)
                               search->end.expires_after(std::chrono::seconds(0));
                           else if (usable && search->end.expiry() > search->clock.now() + moment)
                               search->end.expires_after(moment);
                       });
    // A change of the timer's end ends the wait for it.
    while (search->missing > 0 && search->end.expiry() > search->clock.now())
        co_await search->end.async_wait(net::as_value);
    if (search->fault) std::rethrow_exception(search->fault);
    co_return search->found;
}

}  // namespace postern::relay
