// Where a recipient's mail goes next: a pure function of settings, directory and envelope.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "relay/mail/message.h"
#include "relay/mail/route_key.h"
#include "relay/settings.h"
#include "sync/directory/snapshot.h"

namespace postern::relay {

struct Route {
    RouteKey key;
    std::string why;  // the rule that chose it, in words
};

/// A copy for the archive goes through the journal's gateway, where there is one, and what a primary hands
/// over through the screening gateway first. A bounce goes back through the primary its message came from,
/// mail for another primary's domain to that primary when its `domains` say so; then the most specific
/// `[[route]]` whose gateway is enabled, then the round-robin gateways, then the recipient domain's mail
/// exchangers.
Route choose_route(const Settings& settings, const sync::Snapshot& directory, const Envelope& envelope,
                   const Address& recipient, sync::Time now);

/// Whether the settings still have what a route is named after.
bool route_exists(const Settings& settings, const RouteKey& route);
/// The routes that mail for a route may take: one, but for the round-robin gateways.
std::vector<RouteKey> ways_of(const Settings& settings, const RouteKey& route);

const GatewaySettings* find_gateway(const Settings& settings, std::string_view name);
const PrimarySettings* find_primary(const Settings& settings, std::string_view name);

}  // namespace postern::relay
