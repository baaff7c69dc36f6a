// Gateways, routes and egress addresses as JSON.
#include <algorithm>
#include <nlohmann/json.hpp>

#include "agent/log/egress_state.h"
#include "agent/status/views.h"

namespace postern::agent {
namespace {

using nlohmann::json;

json view_of(const relay::GatewayView& gateway, bool overridden) {
    return {{"name", gateway.name},
            {"address", gateway.address},
            {"tls", gateway.tls},
            {"type", gateway.type},
            {"enabled", gateway.enabled},
            {"overridden", overridden},
            {"connections", gateway.connections},
            {"waiting", gateway.waiting},
            {"trouble", gateway.trouble},
            {"next_try", gateway.trouble.empty() ? json(nullptr) : view(gateway.next_try)}};
}

json view_of(const relay::ListingView& listing) {
    return {{"site", listing.site},         {"by", listing.by},
            {"text", listing.text},         {"since", view(listing.since)},
            {"until", view(listing.until)}, {"probing", listing.probing}};
}

json view_of(const relay::EgressView& egress, bool overridden, const std::string& trouble) {
    json listings = json::array();
    for (const auto& listing : egress.listings) listings.push_back(view_of(listing));
    return {{"address", egress.address.empty() ? std::string(system_choice) : egress.address},
            {"hostname", egress.hostname},
            {"suspended", egress.suspended},
            {"overridden", overridden},
            {"sent_today", egress.sent_today},
            {"held_back", egress.held_back},
            {"allowance", egress.allowance == 0 ? json(nullptr) : json(egress.allowance)},
            {"warm_up_day", egress.warm_up_day == 0 ? json(nullptr) : json(egress.warm_up_day)},
            {"listings", std::move(listings)},
            {"trouble", trouble}};
}

template <class Elements, class Name>
bool has(const Elements& elements, Name name, const std::string& wanted) {
    return std::any_of(elements.begin(), elements.end(),
                       [&](const auto& each) { return each.*name == wanted; });
}

/// Why a route is not in force, "" when it is.
std::string trouble(const relay::RouteSettings& route, const OutgoingRoutes& outgoing) {
    const auto found = std::find_if(outgoing.gateways.begin(), outgoing.gateways.end(),
                                    [&](const auto& gateway) { return gateway.name == route.gateway; });
    if (found == outgoing.gateways.end()) return "no such gateway in the configuration file";
    if (!found->enabled) return "the gateway is disabled";
    const auto& set = outgoing.overrides.routes;
    const bool replaced = route.configured && std::any_of(set.begin(), set.end(), [&](const auto& other) {
                              return other.sender == route.sender && other.recipient == route.recipient;
                          });
    return replaced ? "another was set while running" : "";
}

json view_of(const relay::RouteSettings& route, const OutgoingRoutes& outgoing) {
    return {{"sender", route.sender},
            {"recipient", route.recipient},
            {"gateway", route.gateway},
            {"origin", route.configured ? "file" : "running"},
            {"trouble", trouble(route, outgoing)}};
}

}  // namespace

json gateways_view(const OutgoingRoutes& outgoing) {
    json list = json::array();
    for (const auto& gateway : outgoing.gateways)
        list.push_back(view_of(gateway, outgoing.overrides.gateways.contains(gateway.name)));
    for (const auto& [name, enabled] : outgoing.overrides.gateways) {
        if (has(outgoing.gateways, &relay::GatewayView::name, name)) continue;
        relay::GatewayView gone;
        gone.name = name;
        gone.enabled = enabled;
        gone.trouble = "no such gateway in the configuration file";
        list.push_back(view_of(gone, true));
    }
    return list;
}

json routes_view(const OutgoingRoutes& outgoing) {
    json list = json::array();
    for (const auto& route : outgoing.routes) list.push_back(view_of(route, outgoing));
    for (const auto& route : outgoing.overrides.routes) list.push_back(view_of(route, outgoing));
    return list;
}

json egress_view(const OutgoingRoutes& outgoing) {
    json list = json::array();
    for (const auto& egress : outgoing.egress)
        list.push_back(view_of(egress, outgoing.overrides.egress.contains(egress.address), ""));
    for (const auto& [address, suspended] : outgoing.overrides.egress) {
        if (has(outgoing.egress, &relay::EgressView::address, address)) continue;
        relay::EgressView gone;
        gone.address = address;
        gone.suspended = suspended;
        list.push_back(view_of(gone, true, "no such address in the configuration file"));
    }
    return list;
}

}  // namespace postern::agent
