#include "relay/delivery/dispatch.h"

#include <algorithm>
#include <utility>

#include "relay/delivery/connections.h"
#include "relay/delivery/destinations.h"
#include "relay/delivery/environment.h"
#include "relay/delivery/listing.h"
#include "relay/delivery/room.h"
#include "relay/delivery/route.h"
#include "relay/delivery/sources.h"
#include "relay/mail/stage.h"
#include "relay/queue/schedule.h"

namespace postern::relay {

namespace {

constexpr std::size_t part = 50;        // jobs of a route that are taken up in its turn
constexpr unsigned turns = 4;           // taken at once
constexpr std::size_t closed_max = 20;  // routes looked at that have no room, before the rest is left

TlsWish wish_of(const Job& job) { return tls_wish(job.message->stored->message.envelope); }

/// The queue may be offering it just now, and hears of it behind that.
void settle_later(Workplace& at, Job job, Outcome why) {
    asio::post(at.env.io, [&at, job = std::move(job), why = std::move(why)]() mutable {
        if (at.env.stopping) return;
        std::vector<Job> jobs;
        jobs.push_back(std::move(job));
        at.dispatch.settle_all(std::move(jobs), why);
    });
}

}  // namespace

// ---- from a route to a site

void Dispatch::offer(Job job) {
    RouteKey way = at_.room.next_way(job.route);
    if (!way.empty()) return enter(std::move(job), way);
    // The last of them was taken out of the configuration just now.
    asio::post(at_.env.io, [this, job = std::move(job)] { at_.queue.give_back(job); });
}

void Dispatch::enter(Job job, const RouteKey& way) {
    DestinationPtr to = at_.destinations.get(way, wish_of(job));
    if (to->site && to->fresh_until > at_.env.clock.steady()) return line_up(std::move(job), to->site);
    to->unresolved.push_back(std::move(job));
    if (!to->obstacle.down) look_up(to);
}

void Dispatch::look_up(const DestinationPtr& destination) {
    if (std::exchange(destination->resolving, true)) return;
    at_.env.run(resolve(destination), [this, destination] {
        destination->resolving = false;
        // What was offered behind the answer, by the refill that it brought, has had none.
        if (!at_.env.stopping && !destination->unresolved.empty() && !destination->obstacle.down)
            look_up(destination);
    });
}

net::awaitable<void> Dispatch::resolve(DestinationPtr destination) {
    const auto& waiting = destination->unresolved;
    std::string asker =
        waiting.empty() ? destination->route.text() : waiting.front().message->stored->message.id.text();
    auto answer = co_await at_.destinations.look_up(destination, std::move(asker));
    if (answer.stopped) co_return;
    if (!answer.found) co_return unreachable(destination, answer.trouble);
    SitePtr to = destination->site;
    for (Job& job : std::exchange(destination->unresolved, {})) line_up(std::move(job), to);
    // Who was refused while this was going on is called, or waits for the site from now on.
    while (!destination->routes_without_room.empty())
        to->routes_without_room.add(destination->routes_without_room.take());
    to->routes_without_room.add(destination->route);
    refill(to);
}

void Dispatch::unreachable(const DestinationPtr& destination, const Reply& trouble) {
    Outcome why;
    why.stage = Stage::dns;
    why.reply = trouble;
    why.reason = trouble.text;
    const bool down = destination->obstacle.down;
    why.result = down ? Outcome::Result::deferred : Outcome::Result::failed;
    std::vector<Job> jobs;
    for (Job& job : std::exchange(destination->unresolved, {})) jobs.push_back(std::move(job));
    settle_all(std::move(jobs), why);
    if (down) return;
    at_.queue.refill(destination->route);  // the verdict holds for the rest of its mail too
    call_routes(destination->routes_without_room);
}

void Dispatch::settle_all(std::vector<Job> jobs, const Outcome& why) {
    bool attempted = why.attempted;
    for (Job& job : jobs) {
        if (why.result == Outcome::Result::deferred && job.route == RouteKey::gateways() &&
            at_.room.of_or_call(job.route) > 0) {
            offer(std::move(job));
            continue;
        }
        const bool plain = wish_of(job) == TlsWish::none;
        std::vector<Outcome> outcomes(job.recipients.size(), why);
        for (auto& outcome : outcomes) {
            // Mail with a wish of its own waits by itself: the route is open to the rest.
            outcome.destination = plain;
            outcome.attempted = attempted;
        }
        attempted = false;
        at_.queue.settle(job, std::move(outcomes));
    }
}

// ---- from a site to a line

void Dispatch::line_up(Job job, const SitePtr& site) {
    Source source{{}, at_.env.settings->hostname};
    if (site->hosts().pooled) {
        auto choice = at_.sources.choose(*site, job);
        if (!choice.source) {
            Outcome why;
            why.stage = Stage::egress;
            why.reason = choice.why;
            why.attempted = false;
            if (at_.sources.any_for(*site, job)) {
                at_.destinations.put_off(job.route, choice);
            } else if (!site->obstacle().down) {
                at_.listing.none_left(*site, choice.why);
                auto pause = std::clamp<Time::duration>(choice.again - at_.env.clock.wall(),
                                                        Time::duration::zero(), std::chrono::hours(1));
                put_down(site, choice.why, at_.env.clock.steady() + pause);
            }
            return settle_later(at_, std::move(job), std::move(why));
        }
        source = std::move(*choice.source);
    }
    site->queues.of(source).ready.push(std::move(job));
    employ(site);
}

void Dispatch::redistribute(const SitePtr& site, SourceQueue& from) {
    for (Job& job : from.ready.drain()) line_up(std::move(job), site);
}

void Dispatch::redistribute_all() {
    for (auto& [key, one] : Destinations::BySite(at_.destinations.sites())) {
        if (!one->hosts().pooled) continue;
        for (auto& [address, from] : one->queues.all())
            if (at_.sources.out_of_use(*one, from)) redistribute(one, from);
    }
}

bool Dispatch::suspect_source(const SitePtr& site, SourceQueue& from, const Reply& reply) {
    if (!site->hosts().pooled || reply.code < 500 || at_.env.settings->egress.size() < 2) return false;
    auto jobs = from.ready.extract([](const Job& job) { return job.suspect.empty(); });
    if (jobs.empty()) return false;
    if (!at_.sources.another_than(from.source, *site)) {
        for (Job& job : jobs) from.ready.push(std::move(job));
        return false;
    }
    for (Job& job : jobs) {
        job.suspect = from.source.address;
        job.suspicion = reply;
        line_up(std::move(job), site);
    }
    return true;
}

// ---- connections for it

void Dispatch::employ(const SitePtr& site) {
    if (at_.env.stopping || at_.env.spool.stuck() || site->obstacle().down) return;
    Time time = at_.env.clock.steady();
    if (auto wait = site->flow.pace.wait(time); wait > Time::duration::zero()) {
        if (site->queues.ready() > 0) at_.alarms.set(site, time + wait);
        return;
    }
    site->queues.in_turn([&](SourceQueue& from) {
        if (from.ready.empty()) return SourceQueues::Turn::pass;
        if (from.wake_one()) return SourceQueues::Turn::served;
        if (!site->has_room() || from.opening() >= from.ready.size()) return SourceQueues::Turn::pass;
        if (!at_.connections.grant(site)) return SourceQueues::Turn::stop;
        at_.env.run(send_(site, from), [this, site] { release(site); });
        return SourceQueues::Turn::served;
    });
}

/// A courier of the site is gone.
void Dispatch::release(const SitePtr& site) {
    at_.connections.closed(*site);
    at_.connections.call_next([this](const SitePtr& next) { employ(next); });
    employ(site);
    at_.alarms.arm();
}

/// The routes that were refused take turns, so that none of them fills the line with its own mail.
void Dispatch::call_routes(RoutesWithoutRoom& routes) {
    unsigned taken = 0, closed = 0;  // turns, and routes in a row that still have no room
    while (!routes.empty() && taken < turns && closed < std::min(routes.size(), closed_max)) {
        RouteKey route = routes.take();
        bool open = at_.room.of(route) > 0;
        if (!open || at_.queue.refill(route, part)) routes.add(route);
        taken += open ? 1 : 0;
        closed = open ? 0 : closed + 1;
    }
}

void Dispatch::site_works(const SitePtr& site) {
    const bool doubted = site->record_success();
    at_.connections.well(*site, doubted);
    if (doubted) refill(site);
}

void Dispatch::site_fails(const SitePtr& site, const Outcome& why, unsigned others, Time begun) {
    const Time time = at_.env.clock.steady();
    switch (site->record_failure(others, begun, time)) {
        case Site::Failure::known:
            if (!site->obstacle().down) employ(site);
            return;
        case Site::Failure::fewer: return;
        case Site::Failure::trouble: break;
    }
    at_.connections.badly(*site);
    const unsigned failures = site->obstacle().failures + 1;
    put_down(site, why.reason.empty() ? why.reply.line() : why.reason,
             time + site_pause(at_.env.settings->queue, failures, at_.env.spread()));
    settle_all(site->queues.drain(), why);
}

void Dispatch::put_down(const SitePtr& site, std::string why, Time until) {
    site->put_down(std::move(why), until);
    at_.alarms.set(site, until);
}

// ---- all of them

void Dispatch::answer(const Alarms::Alarm& alarm, Time now) {
    if (alarm.destination) end_obstacles(alarm.destination, now);
    const SitePtr& site = alarm.site;
    if (!site) return;
    if (site->obstacle().down && site->obstacle().next_try > now)
        return at_.alarms.set(site, site->obstacle().next_try);
    if (site->end_pause()) {
        // Nothing waits there any more: its trouble is history.
        refill(site);
        if (site->queues.ready() == 0 && site->connections() == 0) site->forget_trouble();
    }
    // What stood in line here all the time left no room for more, and is the probe itself.
    employ(site);
}

void Dispatch::end_obstacles(const DestinationPtr& destination, Time now) {
    bool ended = false;
    for (Obstacle* obstacle : {&destination->obstacle, &destination->listed})
        if (obstacle->down && obstacle->next_try <= now) {
            obstacle->down = false;
            ended = true;
        }
    if (!ended) return;
    at_.queue.refill(destination->route);
    call_routes(destination->routes_without_room);
    if (destination->site) refill(destination->site);
    if (!destination->obstacle.down && !destination->unresolved.empty()) look_up(destination);
}

void Dispatch::refill_all() {
    for (auto& [key, one] : Destinations::BySite(at_.destinations.sites())) refill(one);
}

void Dispatch::resume() {
    for (auto& [key, one] : Destinations::BySite(at_.destinations.sites())) {
        employ(one);
        refill(one);
    }
}

void Dispatch::recall(const std::function<bool(const Job&)>& which) {
    for (auto& [key, one] : Destinations::BySite(at_.destinations.sites()))
        for (auto& [address, from] : one->queues.all())
            for (const Job& job : from.ready.extract(which)) at_.queue.give_back(job);
    for (auto& [key, one] : Destinations::ByRoute(at_.destinations.all())) {
        std::deque<Job> kept;
        for (Job& job : std::exchange(one->unresolved, {})) {
            if (which(job))
                at_.queue.give_back(job);
            else
                kept.push_back(std::move(job));
        }
        for (Job& job : one->unresolved) kept.push_back(std::move(job));
        one->unresolved = std::move(kept);
    }
}

void Dispatch::stop() {
    for (const auto& [key, one] : at_.destinations.all()) one->unresolved.clear();
    for (const auto& [key, one] : at_.destinations.sites())
        for (auto& [address, from] : one->queues.all()) {
            from.ready.drain();
            while (from.wake_one()) continue;
        }
}

}  // namespace postern::relay
