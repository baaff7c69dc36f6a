// From a job to a line: which site its route leads to, which of our addresses it leaves from, and how many
// connections that is worth.
#include <algorithm>

#include "relay/delivery/delivery.h"
#include "relay/delivery/route.h"
#include "relay/net/addresses.h"
#include "relay/queue/schedule.h"
#include "sync/base/clock.h"

namespace postern::relay {

namespace {

constexpr std::chrono::seconds believed{60};        // a look-up, for further mail on the same route
constexpr std::chrono::seconds believed_again{30};  // the last one, when there is none
constexpr std::chrono::hours stale_max{24};

}  // namespace

DestinationPtr Delivery::destination(const std::string& route, TlsWish wish) {
    DestinationPtr& out = destinations_[{route, wish}];
    if (!out) {
        out = std::make_shared<Destination>();
        out->route = route;
        out->wish = wish;
    }
    return out;
}

SitePtr Delivery::site(const std::string& key) {
    SitePtr& out = sites_[key];
    if (!out) out = std::make_shared<Site>(key);
    return out;
}

void Delivery::offer(Job job) {
    std::string key = next_lane(job.route);
    if (key.empty()) {
        auto all = lanes(job.route);
        if (all.empty()) {  // the last of them was taken out of the configuration just now
            asio::post(env_.io, [this, job = std::move(job)] { queue_.give_back(job); });
            return;
        }
        key = all.front();  // more jobs of one message than there was room for: they stand in line
    }
    enter(std::move(job), key);
}

/// `route` is the job's own, or one of the gateways that take turns for it.
void Delivery::enter(Job job, const std::string& route) {
    DestinationPtr to = destination(route, tls_wish(job.message->stored->message.envelope));
    if (to->site && to->fresh_until > base::steady_now()) return dispatch(std::move(job), to->site);
    to->unresolved.push_back(std::move(job));
    if (!to->obstacle.down) look_up(to);
}

void Delivery::look_up(const DestinationPtr& destination) {
    if (std::exchange(destination->resolving, true)) return;
    env_.run(resolve(destination), [destination] { destination->resolving = false; });
}

net::awaitable<void> Delivery::resolve(DestinationPtr destination) {
    const auto& waiting = destination->unresolved;
    const std::string asker =
        waiting.empty() ? destination->route : waiting.front().message->stored->message.id.text();
    SettingsPtr settings;
    Targets targets;
    // What comes of settings that are gone is not used.
    while (settings != env_.settings) {
        settings = env_.settings;
        targets = co_await find_targets(names_.surroundings(asker), destination->route, destination->wish);
        if (env_.stopping) co_return;
    }
    Time time = base::steady_now();
    if (targets.list.empty() && still_known(*destination, targets)) {
        destination->fresh_until = time + believed_again;
    } else if (targets.list.empty()) {
        lookup_failed(destination, targets.trouble);
        co_return;
    } else {
        destination->site = site(targets.site);
        destination->hosts = targets.list;
        destination->fresh_until = time + believed;
        destination->known_at = time;
        adopt(destination->site, destination->route, destination->wish, std::move(targets));
    }
    destination->obstacle = {};
    SitePtr to = destination->site;
    for (Job& job : std::exchange(destination->unresolved, {})) dispatch(std::move(job), to);
    // Who was refused while this was going on is called, or waits for the site from now on.
    while (!destination->routes_without_room.empty())
        to->routes_without_room.add(destination->routes_without_room.take());
    to->routes_without_room.add(destination->route);
    refill(to);
}

/// Name servers that do not answer for a while take nobody's mail away who was known (RFC 8767).
bool Delivery::still_known(const Destination& destination, const Targets& targets) const {
    return targets.trouble.status == EnhancedStatus{4, 4, 3} && !targets.barred && destination.site &&
           !destination.site->hosts().targets.empty() &&
           destination.known_at + stale_max > base::steady_now();
}

void Delivery::adopt(const SitePtr& site, const std::string& route, TlsWish wish, Targets targets) {
    const DeliverySettings& delivery = env_.settings->delivery;
    unsigned connections = targets.connections > 0 ? targets.connections : delivery.per_destination;
    unsigned a_minute =
        targets.messages_per_minute > 0 ? targets.messages_per_minute : delivery.messages_per_minute;
    std::string origin = targets.list.front().origin;
    site->adopt({std::move(targets.exchangers), route, wish, route.starts_with("mx:"),
                 std::move(targets.list), std::move(origin), base::steady_now()},
                connections, a_minute);
}

void Delivery::lookup_failed(const DestinationPtr& destination, const Reply& trouble) {
    Outcome why;
    why.stage = "dns";
    why.reply = trouble;
    why.reason = trouble.text;
    why.result = trouble.status.klass == 5 ? Outcome::Result::failed : Outcome::Result::deferred;
    Obstacle& obstacle = destination->obstacle;
    if (why.result == Outcome::Result::deferred) {
        double spread = env_.spread();
        ++obstacle.failures;
        obstacle.down = true;
        obstacle.trouble = why.reason;
        obstacle.next_try = base::steady_now() + site_pause(env_.settings->queue, obstacle.failures, spread);
        alarms_.set(destination, obstacle.next_try);
    } else {
        obstacle = {};
        destination->site.reset();  // nothing of it is good any more, should the name servers be away next
    }
    std::vector<Job> jobs;
    for (Job& job : std::exchange(destination->unresolved, {})) jobs.push_back(std::move(job));
    settle_all(std::move(jobs), why);
    if (obstacle.down) return;
    queue_.refill(destination->route);  // the verdict holds for the rest of its mail too
    feed(destination->routes_without_room);
}

/// The same for all of them; but what another gateway can take goes there.
void Delivery::settle_all(std::vector<Job> jobs, const Outcome& why) {
    bool attempted = why.attempted;
    for (Job& job : jobs) {
        if (why.result == Outcome::Result::deferred && job.route == all_gateways && room(job.route) > 0) {
            offer(std::move(job));
            continue;
        }
        bool plain = tls_wish(job.message->stored->message.envelope) == TlsWish::none;
        std::vector<Outcome> outcomes(job.recipients.size(), why);
        for (auto& outcome : outcomes) {
            // Mail with a wish of its own waits by itself: the route is open to the rest.
            outcome.destination = plain;
            outcome.attempted = attempted;
        }
        attempted = false;
        queue_.settle(job, std::move(outcomes));
    }
}

/// The queue may be offering it just now, and hears of it behind that.
void Delivery::settle_later(Job job, Outcome why) {
    asio::post(env_.io, [this, job = std::move(job), why = std::move(why)]() mutable {
        if (env_.stopping) return;
        std::vector<Job> jobs;
        jobs.push_back(std::move(job));
        settle_all(std::move(jobs), why);
    });
}

void Delivery::dispatch(Job job, const SitePtr& site) {
    Source source{{}, env_.settings->hostname};
    if (site->hosts().pooled) {
        auto choice = sources_.choose(*site, job);
        if (!choice.source) {
            Outcome why;
            why.stage = "egress";
            why.reason = choice.why;
            why.attempted = false;
            if (sources_.any_for(*site, job)) {
                put_off(job.route, choice);
            } else if (!site->obstacle().down) {
                listing_.none_left(*site, choice.why);
                auto pause = std::clamp<Time::duration>(choice.again - base::wall_now(),
                                                        Time::duration::zero(), std::chrono::hours(1));
                put_down(site, choice.why, base::steady_now() + pause);
            }
            return settle_later(std::move(job), std::move(why));
        }
        source = std::move(*choice.source);
    }
    site->queue(source).ready.push(std::move(job));
    employ(site);
}

void Delivery::employ(const SitePtr& site) {
    if (env_.stopping || env_.spool.stuck() || site->obstacle().down) return;
    Time time = base::steady_now();
    if (auto wait = site->flow.pace.wait(time); wait > Time::duration::zero()) {
        if (site->ready() > 0) alarms_.set(site, time + wait);
        return;
    }
    site->in_turn([&](SourceQueue& from) {
        if (from.ready.empty()) return Site::Turn::pass;
        if (from.wake_one()) return Site::Turn::served;
        if (!site->has_room() || from.opening() >= from.ready.size()) return Site::Turn::pass;
        if (!connections_.grant(site)) return Site::Turn::stop;
        auto slot = std::make_unique<ConnectionSlot>(site, from, connections_.traffic());
        env_.run(work(site, from, std::move(slot)), [this, site] { release(site); });
        return Site::Turn::served;
    });
}

void Delivery::release(const SitePtr& site) {
    connections_.closed(*site);
    connections_.call_next([this](const SitePtr& next) { employ(next); });
    employ(site);
    alarms_.arm();
}

void Delivery::refill(const SitePtr& site) { feed(site->routes_without_room); }

void Delivery::works(const SitePtr& site) {
    const bool doubted = site->record_success();
    connections_.well(*site, doubted);
    if (doubted) refill(site);
}

void Delivery::put_down(const SitePtr& site, std::string why, Time until) {
    site->put_down(std::move(why), until);
    alarms_.set(site, until);
}

/// `others`: connections to the site that stand; `begun`: when that began which failed.
void Delivery::fails(const SitePtr& site, const Outcome& why, unsigned others, Time begun) {
    const Time time = base::steady_now();
    switch (site->record_failure(others, begun, time)) {
        case Site::Failure::known:
            if (!site->obstacle().down) employ(site);
            return;
        case Site::Failure::fewer: return;
        case Site::Failure::trouble: break;
    }
    connections_.badly(*site);
    put_down(site, why.reason.empty() ? why.reply.line() : why.reason,
             time + site_pause(env_.settings->queue, site->obstacle().failures + 1, env_.spread()));
    settle_all(site->drain(), why);
}

}  // namespace postern::relay
