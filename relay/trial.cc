#include "relay/trial.h"

#include <algorithm>
#include <iterator>
#include <map>
#include <utility>

#include "relay/delivery/dnssec_memory.h"
#include "relay/net/dnssec.h"
#include "relay/trial_parts.h"
#include "sync/base/ip_address.h"

namespace postern::relay {

namespace {

using namespace trial;

constexpr std::chrono::seconds question_patience{6};  // each may take twice as long

struct Part {
    std::string what;
    std::function<net::awaitable<Findings>(World&, std::string what)> run;
};

std::string text_of(const HostPort& address) {
    const bool six = base::is_v6_literal(address.host);
    return (six ? '[' + address.host + ']' : address.host) + ':' + std::to_string(address.port);
}

/// Then the system chooses for receivers of the other one.
bool lacks_family(const std::vector<EgressSettings>& pool) {
    const auto six = std::count_if(
        pool.begin(), pool.end(), [](const EgressSettings& one) { return base::is_v6_literal(one.address); });
    return six == 0 || six == static_cast<std::ptrdiff_t>(pool.size());
}

std::vector<Part> parts_of(const Settings& settings) {
    std::vector<Part> parts{{"dns", try_name_servers}};
    if (net::anchors_the_root(settings.dns)) parts.push_back({"dnssec", try_dnssec});
    parts.push_back({"hostname", try_hostname});
    for (const auto& one : settings.listeners) {
        if (one.address.host.empty()) continue;
        const bool implicit = one.tls == ListenerTls::implicit;
        parts.push_back({"listener " + text_of(one.address),
                         [address = one.address, implicit](World& world, std::string what) {
                             return try_listener(world, std::move(what), address, implicit);
                         }});
    }
    for (const auto& one : settings.primaries)
        if (!one.deliver_to.host.empty())
            parts.push_back({"deliver_to of " + one.name, [one](World& world, std::string what) {
                                 return try_deliver_to(world, std::move(what), one);
                             }});
    for (const auto& one : settings.gateways)
        if (one.enabled)
            parts.push_back({"gateway " + one.name, [one](World& world, std::string what) {
                                 return try_gateway(world, std::move(what), one);
                             }});
    const auto port = [&](const std::string& source) {
        const std::string what = "port " + std::to_string(settings.delivery.port);
        parts.push_back(
            {source.empty() ? what : what + " from " + source,
             [source](World& world, std::string name) { return try_port(world, std::move(name), source); }});
    };
    for (const auto& one : settings.egress) {
        const std::string what = "egress " + one.address;
        parts.push_back({what, [one](World& world, std::string name) {
                             return try_egress(world, std::move(name), one);
                         }});
        if (!settings.delivery.blocklists.empty())
            parts.push_back({what, [one](World& world, std::string name) {
                                 return try_blocklists(world, std::move(name), one.address);
                             }});
        port(one.address);
    }
    std::map<std::string, std::vector<DomainKey>> signing;
    for (auto& one : Keyring::read(settings.dkim.keys).keys) signing[one.domain].push_back(std::move(one));
    for (auto& [domain, keys] : signing)
        parts.push_back({"dkim " + domain, [keys = std::move(keys)](World& world, std::string what) {
                             return try_signing(world, std::move(what), keys);
                         }});
    if (!gateways_take_all(settings) && lacks_family(settings.egress))
        parts.push_back({"egress system", try_system_choice});
    if (!gateways_take_all(settings) && settings.egress.empty()) port("");
    return parts;
}

SettingsPtr less_patient(const SettingsPtr& settings) {
    auto out = std::make_shared<Settings>(*settings);
    out->dns.timeout = std::min(out->dns.timeout, question_patience);
    return out;
}

}  // namespace

namespace trial {

World::World(net::io_context& loop, const base::Clock& time, base::Disk& disk, net::Outside& beyond,
             SettingsPtr given, std::string sender, std::string recipient)
    : io(loop),
      clock(time),
      outside(beyond),
      settings(std::move(given)),
      from(std::move(sender)),
      to(std::move(recipient)),
      proven(recall_proof(disk, settings->state_dir, settings->dns) != net::Proof::none),
      resolver(loop, time, beyond, settings->dns),
      policies(loop, time, {}),
      tls(net::client_context(settings->tls)) {
    resolver.watch_dnssec(proven, [] {});
}

bool gateways_take_all(const Settings& settings) {
    return std::any_of(settings.gateways.begin(), settings.gateways.end(), [&](const GatewaySettings& one) {
        const bool for_everybody =
            std::any_of(settings.routes.begin(), settings.routes.end(), [&](const RouteSettings& route) {
                return route.gateway == one.name && route.sender == "*" && route.recipient.empty();
            });
        return one.enabled && (one.type == GatewayType::round_robin || for_everybody);
    });
}

}  // namespace trial

std::vector<std::string> what_is_tried(const Settings& settings) {
    std::vector<std::string> names;
    for (const auto& part : parts_of(settings)) names.push_back(part.what);
    return names;
}

std::vector<Finding> try_out(const SettingsPtr& settings, const TrialOptions& options,
                             const base::Clock& clock) {
    net::io_context io{1};
    base::SystemDisk disk;  // it is the machine that is tried
    net::SystemOutside outside;
    World world(io, clock, disk, outside, less_patient(settings), options.from, options.to);
    const auto parts = parts_of(*settings);
    std::vector<std::optional<Findings>> found(parts.size());
    std::exception_ptr fault;
    std::size_t missing = parts.size();
    for (std::size_t at = 0; at < parts.size(); ++at)
        asio::co_spawn(io, parts[at].run(world, parts[at].what),
                       [&, at](const std::exception_ptr& thrown, Findings findings) {
                           if (thrown) fault = thrown;
                           for (const auto& finding : findings) options.told(finding);
                           found[at] = std::move(findings);
                           if (--missing == 0) io.stop();
                       });
    io.run_for(options.patience);
    if (fault) std::rethrow_exception(fault);
    std::vector<Finding> all;
    for (std::size_t at = 0; at < parts.size(); ++at) {
        if (!found[at]) {
            found[at] = {Finding{parts[at].what, Finding::Result::failed,
                                 "no end after " + std::to_string(options.patience.count()) + " seconds",
                                 "something on the way there answers very slowly, or not at all"}};
            options.told(found[at]->front());
        }
        std::move(found[at]->begin(), found[at]->end(), std::back_inserter(all));
    }
    return all;
}

}  // namespace postern::relay
