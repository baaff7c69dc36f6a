#include "relay/delivery/overview.h"

#include <algorithm>
#include <set>

#include "relay/delivery/destinations.h"
#include "relay/delivery/environment.h"
#include "relay/delivery/names.h"
#include "relay/delivery/room.h"
#include "relay/delivery/route.h"
#include "relay/delivery/signing.h"
#include "relay/delivery/sources.h"
#include "relay/delivery/target_lookup.h"
#include "relay/mail/route_key.h"
#include "relay/queue/queue.h"
#include "sync/base/ascii.h"

namespace postern::relay {

std::vector<DestinationView> destination_views(const Workplace& at, std::size_t limit) {
    std::vector<DestinationView> out, idle;
    std::set<RouteKey> shown;
    const auto waiting = at.queue.waiting();
    for (bool troubled : {true, false})
        for (const auto& [key, one] : at.destinations.all()) {
            if (out.size() == limit) return out;
            const Obstacle* obstacle = one->obstacle.failures > 0 ? &one->obstacle : nullptr;
            if (obstacle == nullptr && one->listed.failures > 0) obstacle = &one->listed;
            if (obstacle == nullptr && one->site && one->site->obstacle().failures > 0)
                obstacle = &one->site->obstacle();
            if ((obstacle != nullptr) != troubled || !shown.insert(one->route).second) continue;
            DestinationView view;
            view.route = one->route.text();
            view.ready = one->unresolved.size();
            if (one->site) {
                const Site& site = *one->site;
                view.site = site.key;
                // A site's line has mail of other domains too.
                view.ready = one->route.kind == RouteKey::Kind::exchangers ? at.queue.in_hand(one->route)
                                                                           : view.ready + site.queues.ready();
                view.connections = site.connections();
                view.delivering =
                    site.established() - std::min<std::size_t>(site.queues.idle(), site.established());
            }
            if (obstacle != nullptr) {
                view.trouble = obstacle->trouble;
                view.next_try = at.env.clock.on_the_wall(obstacle->next_try);
            }
            const bool busy = troubled || view.ready + view.delivering + view.connections > 0;
            (busy || waiting.contains(one->route) ? out : idle).push_back(std::move(view));
        }
    for (const auto& [route, due] : waiting) {
        if (out.size() == limit) break;
        if (shown.contains(route)) continue;
        DestinationView view;
        view.route = route.text();
        if (route != RouteKey::held()) view.next_try = at.env.clock.on_the_wall(due);
        out.push_back(std::move(view));
    }
    // Whatever happens at many others, there is room for those that something happens at.
    for (auto& one : idle)
        if (out.size() < limit) out.push_back(std::move(one));
    return out;
}

std::vector<GatewayView> gateway_views(const Workplace& at) {
    std::vector<GatewayView> out;
    for (const auto& gateway : at.env.settings->gateways) {
        GatewayView view;
        view.name = gateway.name;
        view.address = gateway.address.host + ':' + std::to_string(gateway.address.port);
        view.tls = in_words(gateway.tls);
        view.type = gateway.type == GatewayType::round_robin ? "round-robin" : "specified";
        view.enabled = gateway.enabled;
        if (auto obstacle = at.room.blocked(RouteKey::gateway(gateway.name))) {
            view.trouble = obstacle->trouble;
            view.next_try = at.env.clock.on_the_wall(obstacle->next_try);
        }
        if (const Destination* known = at.destinations.find(RouteKey::gateway(gateway.name));
            known != nullptr && known->site)
            view.connections = known->site->connections();
        out.push_back(std::move(view));
    }
    return out;
}

net::awaitable<Explanation> explain_delivery(const Workplace& at, Explanation begun, RouteKey route,
                                             Envelope envelope) {
    Time time = at.env.clock.wall();
    auto all = ways_of(*at.env.settings, route);
    if (auto obstacle = at.room.blocked(route)) {
        begun.trouble = obstacle->trouble;
        begun.next_try = at.env.clock.on_the_wall(obstacle->next_try);
    }
    // Only what a primary hands over is signed.
    if (route.kind != RouteKey::Kind::primary && !envelope.primary.empty())
        if (const auto* keys = at.signing.keyring().of(base::lower(envelope.reverse_path.domain)))
            for (const auto& one : *keys)
                begun.signatures += (begun.signatures.empty() ? "" : ", ") + one.name();
    TlsWish wish = tls_wish(envelope);
    Targets first;
    for (const auto& way : all) {
        Targets targets = co_await find_targets(at.names.surroundings("explain"), way, wish);
        for (const auto& target : targets.list) begun.hosts.push_back(target.text());
        if (targets.list.empty()) begun.hosts.push_back(targets.trouble.text);
        if (first.list.empty()) first = std::move(targets);
    }
    if (first.list.empty()) co_return begun;
    begun.tls = first.list.front().policy->text();
    if (route.kind == RouteKey::Kind::exchangers) {
        const MailOf mail(envelope.reverse_path.domain, at.env.suspected && at.env.suspected(envelope));
        auto choice = at.sources.pool().preview(SitePart(first.exchangers, route.name), mail,
                                                families_of(first.list), time);
        begun.egress = choice.why;
        if (choice.source)
            begun.egress = (choice.source->address.empty() ? std::string("the system's choice")
                                                           : choice.source->address) +
                           " as " + choice.source->hostname +
                           (choice.why.empty() ? "" : " (" + choice.why + ")");
    } else {
        begun.egress =
            "the system's choice as " + at.env.settings->hostname + " (the pool is for mail exchangers)";
    }
    unsigned connections =
        first.connections > 0 ? first.connections : at.env.settings->delivery.per_destination;
    unsigned rate = first.messages_per_minute > 0 ? first.messages_per_minute
                                                  : at.env.settings->delivery.messages_per_minute;
    begun.limits = "at most " + std::to_string(connections) + " connections";
    if (auto known = at.destinations.sites().find(first.site); known != at.destinations.sites().end())
        begun.limits += ", " + std::to_string(known->second->flow.window.size()) + " at present";
    begun.limits += rate > 0 ? ", " + std::to_string(rate) + " messages a minute" : ", no limit of messages";
    co_return begun;
}

}  // namespace postern::relay
