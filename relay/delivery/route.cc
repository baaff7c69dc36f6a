#include "relay/delivery/route.h"

#include <algorithm>

#include "sync/base/ascii.h"

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

namespace {

/// How closely a route's rule describes a message; 0 when it does not at all. A user is closer than a domain,
/// the sender's domain closer than the recipient's, everybody is the least.
int closeness(const RouteSettings& route, const Address& sender, const Address& recipient) {
    int out = 0;
    if (!route.recipient.empty()) {
        if (route.recipient != recipient.domain) return 0;
        out = 2;
    }
    if (route.sender.empty()) return out;
    if (route.sender == "*") return std::max(out, 1);
    // Who writes a route for a user means the mailbox, not the spelling of its local part.
    if (route.sender.find('@') != std::string::npos)
        return route.sender == base::lower(sender.text()) ? out + 8 : 0;
    return route.sender == sender.domain ? out + 4 : 0;
}

/// What a primary says is its own is enough for mail of nobody and where it is the only one; mail of the
/// others it gets by its `domains` only, or any primary could take any mail of theirs.
bool may_take(const Settings& settings, const PrimarySettings& primary, const Envelope& envelope,
              const std::string& domain) {
    if (envelope.primary.empty() || settings.primaries.size() == 1) return true;
    return std::any_of(primary.domains.begin(), primary.domains.end(),
                       [&](const std::string& one) { return one == "*" || one == domain; });
}

std::string in_words(const RouteSettings& route) {
    std::string out = "the route for ";
    if (!route.sender.empty()) out += route.sender == "*" ? "everybody" : route.sender;
    if (!route.recipient.empty()) out += (route.sender.empty() ? "mail to " : " to ") + route.recipient;
    return out + (route.configured ? "" : ", set while running");
}

}  // namespace

Route choose_route(const Settings& settings, const sync::Snapshot& directory, const Envelope& envelope,
                   const Address& recipient, sync::Time now) {
    if (envelope.journal != JournalReport::none && !settings.journal.gateway.empty())
        return {RouteKey::gateway(settings.journal.gateway), "journal.gateway leads to the archive"};
    const ScreeningSettings& screening = settings.screening;
    if (!screening.gateway.empty() && envelope.unscreened() && is_meant(screening.of, envelope.reverse_path))
        return {RouteKey::gateway(screening.gateway),
                "it goes through screening.gateway first, and comes back"};
    sync::Verdict verdict = directory.domain(recipient.domain, now);
    // A report about forwarded mail goes to a stranger, whom the primary would not take it for.
    if (envelope.bounce && verdict.reason != sync::Reason::no_such_domain) {
        const PrimarySettings* primary = find_primary(settings, envelope.primary);
        if (primary != nullptr && !primary->deliver_to.host.empty())
            return {RouteKey::primary(primary->name), "a bounce goes back through its sender's primary"};
    }
    std::string mx_why = "the recipient domain's mail exchangers";
    if (!verdict.primary.empty() && verdict.primary != envelope.primary) {
        const PrimarySettings* primary = find_primary(settings, verdict.primary);
        if (primary != nullptr && !primary->deliver_to.host.empty()) {
            if (may_take(settings, *primary, envelope, recipient.domain))
                return {RouteKey::primary(primary->name), "the domain is the primary's own"};
            mx_why += "; primary " + primary->name + " lists the domain as its own, but not its `domains`";
        }
    } else if (!verdict.primary.empty()) {
        mx_why += "; the sender's own primary has the domain, and hands its mail over as for any other";
    }
    // The postmaster of this host, when nobody else is known to be that.
    if (envelope.primary.empty() && !envelope.bounce && recipient.domain == base::lower(settings.hostname))
        for (const auto& primary : settings.primaries)
            if (!primary.deliver_to.host.empty())
                return {RouteKey::primary(primary.name), "the postmaster of this host is the primary's"};
    const RouteSettings* best = nullptr;
    int closest = 0;
    for (const auto& route : settings.routes) {
        // What may go there has gone, or never does: it would come back without end.
        if (route.gateway == screening.gateway) continue;
        int close = closeness(route, envelope.reverse_path, recipient);
        // Of two that are as close, one that was set while running stands for what is wanted now.
        bool closer =
            close > closest || (close == closest && close > 0 && !route.configured && best->configured);
        if (!closer) continue;
        const GatewaySettings* gateway = find_gateway(settings, route.gateway);
        if (gateway == nullptr || !gateway->enabled) continue;
        best = &route;
        closest = close;
    }
    if (best != nullptr) return {RouteKey::gateway(best->gateway), in_words(*best)};
    if (std::any_of(settings.gateways.begin(), settings.gateways.end(),
                    [](const auto& one) { return one.enabled && one.type == GatewayType::round_robin; }))
        return {RouteKey::gateways(), "the round-robin gateways take all mail without a route of its own"};
    return {RouteKey::exchangers(recipient.domain), std::move(mx_why)};
}

bool route_exists(const Settings& settings, const RouteKey& route) {
    switch (route.kind) {
        case RouteKey::Kind::none:
        case RouteKey::Kind::held:
        case RouteKey::Kind::exchangers: return true;
        case RouteKey::Kind::gateways: return !ways_of(settings, route).empty();
        case RouteKey::Kind::primary: return find_primary(settings, route.name) != nullptr;
        case RouteKey::Kind::gateway: break;
    }
    const GatewaySettings* gateway = find_gateway(settings, route.name);
    // What must go through one waits while that is disabled: no other way is as good.
    const bool must = route.name == settings.screening.gateway || route.name == settings.journal.gateway;
    return gateway != nullptr && (gateway->enabled || must);
}

std::vector<RouteKey> ways_of(const Settings& settings, const RouteKey& route) {
    if (route != RouteKey::gateways()) return {route};
    std::vector<RouteKey> out;
    for (const auto& gateway : settings.gateways)
        if (gateway.enabled && gateway.type == GatewayType::round_robin)
            out.push_back(RouteKey::gateway(gateway.name));
    return out;
}

}  // namespace postern::relay
