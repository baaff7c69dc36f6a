#include "relay/delivery/route.h"

#include <algorithm>

namespace postern::relay {

const GatewaySettings* find_gateway(const Settings& settings, std::string_view name) {
    auto found = std::find_if(settings.gateways.begin(), settings.gateways.end(),
                              [&](const auto& one) { return one.name == name; });
    return found == settings.gateways.end() ? nullptr : &*found;
}

const PrimarySettings* find_primary(const Settings& settings, std::string_view name) {
    auto found = std::find_if(settings.primaries.begin(), settings.primaries.end(),
                              [&](const auto& one) { return one.name == name; });
    return found == settings.primaries.end() ? nullptr : &*found;
}

Route choose_route(const Settings& settings, const sync::Snapshot& directory, const Envelope& envelope,
                   const Address& recipient, sync::Time now) {
    if (envelope.bounce) {
        const PrimarySettings* primary = find_primary(settings, envelope.primary);
        if (primary != nullptr && !primary->deliver_to.host.empty())
            return {"primary:" + primary->name, "a bounce goes back through its sender's primary"};
    }
    sync::Verdict verdict = directory.domain(recipient.domain, now);
    if (!verdict.primary.empty() && verdict.primary != envelope.primary) {
        const PrimarySettings* primary = find_primary(settings, verdict.primary);
        if (primary != nullptr && !primary->deliver_to.host.empty())
            return {"primary:" + primary->name, "the domain is the primary's own"};
    }
    // Who writes a route for a user means the mailbox, not the spelling of its local part.
    const Address& sender = envelope.reverse_path;
    for (const std::string& wanted : {lower(sender.text()), sender.domain, std::string("*")}) {
        if (wanted.empty()) continue;
        for (const auto& route : settings.routes) {
            if (route.sender != wanted) continue;
            const GatewaySettings* gateway = find_gateway(settings, route.gateway);
            if (gateway != nullptr && gateway->enabled)
                return {"gateway:" + gateway->name, "the route for " + wanted};
        }
    }
    if (std::any_of(settings.gateways.begin(), settings.gateways.end(),
                    [](const auto& one) { return one.enabled && one.type == GatewayType::round_robin; }))
        return {"gateways", "the round-robin gateways take all mail without a route of its own"};
    return {"mx:" + recipient.domain, "the recipient domain's mail exchangers"};
}

}  // namespace postern::relay
