#include "agent/settings/overrides.h"

#include <algorithm>

#include "agent/machine/address_text.h"
#include "agent/settings/settings.h"
#include "agent/settings/suggestion.h"
#include "relay/limits.h"
#include "sync/base/ascii.h"

namespace postern::agent {
namespace {

using Kind = Objection::Kind;

tl::unexpected<Objection> object(Kind kind, std::string why) {
    return tl::make_unexpected(Objection{kind, std::move(why)});
}

bool same_mail(const relay::RouteSettings& a, const relay::RouteSettings& b) {
    return a.sender == b.sender && a.recipient == b.recipient;
}

auto find_route(const std::vector<relay::RouteSettings>& routes, const relay::RouteSettings& wanted) {
    return std::find_if(routes.begin(), routes.end(),
                        [&](const auto& route) { return same_mail(route, wanted); });
}

/// In the form the settings have it; an objection when it describes no mail.
tl::expected<relay::RouteSettings, Objection> understood(relay::RouteSettings route) {
    if (route.sender.empty() && route.recipient.empty())
        return object(Kind::wrong, "give a sender, a recipient or both; sender \"*\" is everybody");
    const auto at = route.sender.rfind('@');
    const bool long_user = at != std::string::npos && at > relay::limits::local_part;
    if (!route.sender.empty() && (long_user || !is_route_sender(route.sender)))
        return object(Kind::wrong,
                      '"' + route.sender +
                          "\" is not a user (\"user@example.com\"), a domain (\"example.com\") or "
                          "\"*\" for everybody");
    if (!route.recipient.empty() && !is_domain_name(route.recipient))
        return object(Kind::wrong,
                      "the recipient of a route is a domain, which \"" + route.recipient + "\" is not");
    route.sender = base::lower(route.sender);
    route.recipient = base::lower(route.recipient);
    if (route.sender == "*" && !route.recipient.empty()) route.sender.clear();
    route.configured = false;
    return route;
}

const relay::GatewaySettings* find_gateway(const relay::Settings& file, std::string_view name) {
    const auto found = std::find_if(file.gateways.begin(), file.gateways.end(),
                                    [&](const auto& gateway) { return gateway.name == name; });
    return found == file.gateways.end() ? nullptr : &*found;
}

Objection no_gateway(const relay::Settings& file, const std::string& name) {
    std::vector<std::string_view> names;
    names.reserve(file.gateways.size());
    for (const auto& gateway : file.gateways) names.push_back(gateway.name);
    std::string text = "there is no [[gateway]] named \"" + name + '"';
    if (const auto meant = nearest(name, names); !meant.empty())
        text.append("; is \"").append(meant).append("\" meant?");
    return {Kind::unknown, std::move(text)};
}

}  // namespace

relay::Settings merged(relay::Settings file, const Overrides& overrides) {
    for (auto& gateway : file.gateways)
        if (const auto found = overrides.gateways.find(gateway.name); found != overrides.gateways.end())
            gateway.enabled = found->second;
    for (auto& egress : file.egress)
        if (const auto found = overrides.egress.find(egress.address); found != overrides.egress.end())
            egress.suspended = found->second;
    for (const auto& route : overrides.routes)
        if (find_gateway(file, route.gateway) != nullptr) file.routes.push_back(route);
    return file;
}

Change set_route(Overrides before, const relay::Settings& file, relay::RouteSettings route) {
    auto wanted = understood(std::move(route));
    if (!wanted) return tl::make_unexpected(std::move(wanted.error()));
    if (wanted->gateway.empty()) return object(Kind::wrong, "name the gateway the mail is to go through");
    if (find_gateway(file, wanted->gateway) == nullptr)
        return tl::make_unexpected(no_gateway(file, wanted->gateway));
    std::erase_if(before.routes, [&](const auto& each) { return same_mail(each, *wanted); });
    before.routes.push_back(std::move(*wanted));
    return before;
}

Change unset_route(Overrides before, const relay::Settings& file, relay::RouteSettings route) {
    const auto wanted = understood(std::move(route));
    if (!wanted) return tl::make_unexpected(wanted.error());
    const auto found = find_route(before.routes, *wanted);
    if (found == before.routes.end() && find_route(file.routes, *wanted) != file.routes.end())
        return object(Kind::conflict, "the route for " + in_words(*wanted) +
                                          " stands in the configuration file: take it out there, or set "
                                          "another for the time being");
    if (found == before.routes.end())
        return object(Kind::unknown, "there is no route for " + in_words(*wanted));
    before.routes.erase(found);
    return before;
}

Change enable_gateway(Overrides before, const relay::Settings& file, const std::string& name, bool enabled) {
    const auto* gateway = find_gateway(file, name);
    if (gateway == nullptr && before.gateways.erase(name) > 0) return before;
    if (gateway == nullptr) return tl::make_unexpected(no_gateway(file, name));
    if (gateway->enabled == enabled)
        before.gateways.erase(name);
    else
        before.gateways[name] = enabled;
    return before;
}

Change suspend_egress(Overrides before, const relay::Settings& file, const std::string& address,
                      bool suspended) {
    const auto canonical = canonical_ip(address);
    if (!canonical) return object(Kind::wrong, '"' + address + "\" is not an IP address");
    const bool known = std::any_of(file.egress.begin(), file.egress.end(),
                                   [&](const auto& egress) { return egress.address == *canonical; });
    if (!known && before.egress.erase(*canonical) > 0) return before;
    if (!known) return object(Kind::unknown, "there is no [[egress]] with the address " + *canonical);
    if (suspended)
        before.egress[*canonical] = true;
    else
        before.egress.erase(*canonical);
    return before;
}

}  // namespace postern::agent
