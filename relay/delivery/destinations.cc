#include "relay/delivery/destinations.h"

#include <algorithm>

#include "relay/delivery/route.h"
#include "relay/delivery/target_lookup.h"
#include "relay/mail/route_key.h"
#include "relay/queue/schedule.h"
#include "sync/base/forget_oldest.h"

namespace postern::relay {

namespace {

constexpr std::chrono::seconds believed{60};        // a look-up, for further mail on the same route
constexpr std::chrono::seconds believed_again{30};  // the last one, when there is none
constexpr std::chrono::minutes targets_age{5};      // of a site that is always busy
constexpr std::chrono::hours stale_max{24};
constexpr std::chrono::seconds forget_after{120};  // destinations nobody sends to
constexpr std::size_t known_max = 20'000;          // destinations, and sites, that are not in use

}  // namespace

DestinationPtr Destinations::get(const RouteKey& route, TlsWish wish) {
    DestinationPtr& out = destinations_[{route, wish}];
    if (!out) {
        out = std::make_shared<Destination>();
        out->route = route;
        out->wish = wish;
        many_ = many_ || destinations_.size() % known_max == 0;
    }
    return out;
}

Destination* Destinations::find(const RouteKey& route, TlsWish wish) const {
    auto found = destinations_.find({route, wish});
    return found == destinations_.end() ? nullptr : found->second.get();
}

SitePtr Destinations::site(const std::string& key) {
    SitePtr& out = sites_[key];
    if (!out) out = std::make_shared<Site>(key);
    return out;
}

// ---- look-ups

/// By the settings as they are in the end: what comes of settings that are gone is not used.
net::awaitable<Targets> Destinations::find(std::string asker, RouteKey route, TlsWish wish) {
    SettingsPtr settings;
    Targets targets;
    while (settings != env_.settings && !env_.stopping) {
        settings = env_.settings;
        targets = co_await find_targets(names_.surroundings(asker), route, wish);
    }
    co_return targets;
}

net::awaitable<Destinations::Answer> Destinations::look_up(DestinationPtr destination, std::string asker) {
    Answer out;
    Targets targets = co_await find(std::move(asker), destination->route, destination->wish);
    out.stopped = env_.stopping;
    if (out.stopped) co_return out;
    count_barred(*destination, targets);
    Time time = env_.clock.steady();
    if (!targets.list.empty()) {
        destination->site = site(targets.site);
        destination->hosts = targets.list;
        destination->fresh_until = time + believed;
        destination->known_at = time;
        adopt(*destination->site, destination->route, destination->wish, std::move(targets));
    } else if (still_known(*destination, targets)) {
        destination->fresh_until = time + believed_again;
    } else {
        out.trouble = targets.trouble;
        failed(destination, out.trouble);
        co_return out;
    }
    destination->obstacle = {};
    out.found = true;
    co_return out;
}

/// There is no session with them, which their domain is told as well.
void Destinations::count_barred(const Destination& destination, const Targets& targets) {
    if (destination.route.kind != RouteKey::Kind::exchangers || destination.wish == TlsWish::optional) return;
    for (const auto& bar : targets.bars) {
        TlsSession none;
        none.host = bar.host;
        if (bar.policy->fault != PolicyFault::none)
            tls_reports_.count(destination.route.name, *bar.policy, none);
    }
}

/// Name servers that do not answer for a while take nobody's mail away who was known (RFC 8767).
bool Destinations::still_known(const Destination& destination, const Targets& targets) const {
    return targets.trouble.status == EnhancedStatus{4, 4, 3} && !targets.barred && destination.site &&
           !destination.site->hosts().targets.empty() &&
           destination.known_at + stale_max > env_.clock.steady();
}

void Destinations::failed(const DestinationPtr& destination, const Reply& trouble) {
    Obstacle& obstacle = destination->obstacle;
    if (trouble.status.category == 5) {
        obstacle = {};
        destination->site.reset();  // nothing of it is good any more, should the name servers be away next
        return;
    }
    ++obstacle.failures;
    obstacle.down = true;
    obstacle.trouble = trouble.text;
    obstacle.next_try =
        env_.clock.steady() + site_pause(env_.settings->queue, obstacle.failures, env_.spread());
    alarms_.set(destination, obstacle.next_try);
}

void Destinations::adopt(Site& site, const RouteKey& route, TlsWish wish, Targets targets) {
    const DeliverySettings& delivery = env_.settings->delivery;
    unsigned connections = targets.connections > 0 ? targets.connections : delivery.per_destination;
    unsigned a_minute =
        targets.messages_per_minute > 0 ? targets.messages_per_minute : delivery.messages_per_minute;
    std::string origin = targets.list.front().origin;
    site.adopt({std::move(targets.exchangers), route, wish, route.kind == RouteKey::Kind::exchangers,
                std::move(targets.list), std::move(origin), env_.clock.steady()},
               connections, a_minute);
}

net::awaitable<Destinations::Again> Destinations::look_up_again(SitePtr site, Reply& trouble) {
    if (env_.clock.steady() - site->hosts().looked_up < targets_age) co_return Again::current;
    const RouteKey route = site->hosts().route;
    const TlsWish wish = site->hosts().wish;
    Targets targets = co_await find(route.text(), route, wish);
    if (env_.stopping) co_return Again::stopped;
    if (targets.list.empty() && site->hosts().targets.empty()) {
        // They were those of other settings.
        trouble = targets.trouble;
        co_return Again::nowhere;
    }
    if (targets.list.empty() || targets.site == site->key) {
        site->believe(env_.clock.steady());
        if (!targets.list.empty()) adopt(*site, route, wish, std::move(targets));
        co_return Again::current;
    }
    for (auto& [key, one] : destinations_)
        if (one->site == site) one->fresh_until = {};
    co_return Again::elsewhere;
}

void Destinations::distrust() {
    for (auto& [key, one] : destinations_) one->fresh_until = {};
}

void Destinations::reload() {
    distrust();
    for (auto& [key, one] : sites_) one->distrust(origin_of(*env_.settings, one->hosts().route));
}

// ---- whose mail

RouteKey Destinations::way_of(const Site& site, const Job& job) const {
    return job.route == RouteKey::gateways() ? site.hosts().route : job.route;
}

bool Destinations::permits(const Site& site, const Job& job, const Target& target) const {
    const Destination* to = find(way_of(site, job), tls_wish(job.message->stored->message.envelope));
    return to != nullptr && relay::permits(to->hosts, target);
}

void Destinations::put_off(const RouteKey& route, const EgressPool::Choice& choice) {
    if (route.kind != RouteKey::Kind::exchangers) return;
    DestinationPtr to = get(route, TlsWish::none);
    if (to->listed.down) return;
    auto pause = std::clamp<Time::duration>(choice.again - env_.clock.wall(), std::chrono::seconds(1),
                                            std::chrono::hours(1));
    ++to->listed.failures;
    to->listed.down = true;
    to->listed.trouble = choice.why;
    to->listed.next_try = env_.clock.steady() + pause;
    env_.observer.on(event::Rotated{route.name, {}, {}, choice.why});
    alarms_.set(to, to->listed.next_try);
}

bool Destinations::taken(const RouteKey& route) {
    Destination* known = find(route);
    return known != nullptr && std::exchange(known->listed, {}).failures > 0;
}

std::size_t Destinations::retry(const RouteKey& route) {
    std::size_t done = 0;
    Time time = env_.clock.steady();
    for (auto& [key, one] : destinations_) {
        if (!route.empty() && one->route != route) continue;
        for (Obstacle* obstacle : {&one->obstacle, &one->listed})
            if (obstacle->down) {
                ++done;
                obstacle->next_try = time;
                alarms_.set(one, time);
            }
        if (one->site && one->site->obstacle().down && one->site->obstacle().next_try > time) {
            ++done;
            one->site->retry_at(time);
            alarms_.set(one->site, time);
        }
    }
    alarms_.arm();
    return done;
}

void Destinations::forget(Time now, const std::set<RouteKey>& waiting) {
    many_ = false;
    const auto in_use = [this](const Destination& one) {
        return one.resolving || !one.unresolved.empty() ||
               (one.route.kind != RouteKey::Kind::exchangers && route_exists(*env_.settings, one.route));
    };
    std::erase_if(destinations_, [&](const auto& entry) {
        const Destination& one = *entry.second;
        bool troubled = one.obstacle.failures > 0 || one.listed.failures > 0 ||
                        (one.site && one.site->obstacle().failures > 0);
        return one.fresh_until + forget_after < now && !in_use(one) &&
               !(troubled && waiting.contains(one.route));
    });
    base::forget_oldest(
        destinations_, known_max, [&](const DestinationPtr& one) { return !in_use(*one); },
        [](const DestinationPtr& one) { return std::max(one->fresh_until, one->obstacle.next_try); });
    const auto idle = [](const SitePtr& one) {
        return one.use_count() == 1 && one->connections() == 0 && one->queues.ready() == 0;
    };
    std::erase_if(sites_, [&](const auto& entry) {
        return idle(entry.second) && entry.second->obstacle().failures == 0;
    });
    base::forget_oldest(sites_, known_max, idle, [](const SitePtr& one) { return one->last_seen(); });
}

}  // namespace postern::relay
