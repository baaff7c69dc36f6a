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
constexpr std::size_t called_at_once = 50;  // of those who wait for a connection
constexpr std::size_t bad_max = 200;        // addresses of a site remembered as bad

}  // namespace

/// `asker` is what names are looked up for: a message's id, or a route.
Surroundings Delivery::surroundings(const std::string& asker) {
    return Surroundings{resolver_->for_asker(asker), policies_, settings_, ours_, own_};
}

DestinationPtr Delivery::destination(const std::string& route, TlsWish wish) {
    DestinationPtr& out = destinations_[{route, wish}];
    if (!out) {
        out = std::make_shared<Destination>();
        out->route = route;
        out->wish = wish;
        forget_due_ = forget_due_ || destinations_.size() % known_max == 0;
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
            asio::post(io_, [this, job = std::move(job)] { queue_.give_back(job); });
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
    run(resolve(destination), [destination] { destination->resolving = false; });
}

net::awaitable<void> Delivery::resolve(DestinationPtr destination) {
    const auto& waiting = destination->unresolved;
    const std::string asker =
        waiting.empty() ? destination->route : waiting.front().message->stored->message.id.text();
    SettingsPtr settings;
    Targets targets;
    // What comes of settings that are gone is not used.
    while (settings != settings_) {
        settings = settings_;
        targets = co_await find_targets(surroundings(asker), destination->route, destination->wish);
        if (stopping_) co_return;
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
    while (!destination->hungry.empty()) to->hungry.add(destination->hungry.take());
    to->hungry.add(destination->route);
    refill(to);
}

/// Name servers that do not answer for a while take nobody's mail away who was known (RFC 8767).
bool Delivery::still_known(const Destination& destination, const Targets& targets) const {
    return targets.trouble.status == EnhancedStatus{4, 4, 3} && !targets.barred && destination.site &&
           !destination.site->targets.empty() && destination.known_at + stale_max > base::steady_now();
}

void Delivery::adopt(const SitePtr& site, const std::string& route, TlsWish wish, Targets targets) {
    const DeliverySettings& delivery = settings_->delivery;
    site->exchangers = std::move(targets.exchangers);
    site->route = route;
    site->wish = wish;
    site->pooled = route.starts_with("mx:");
    site->targets = std::move(targets.list);
    site->origin = site->targets.front().origin;
    bool is_new = site->looked_up == Time{};
    site->looked_up = base::steady_now();
    unsigned most = targets.connections > 0 ? targets.connections : delivery.per_destination;
    if (is_new && site->connections == 0)
        site->window = Window(most);
    else
        site->window.limit(most);
    site->pace.limit(targets.messages_per_minute > 0 ? targets.messages_per_minute
                                                     : delivery.messages_per_minute);
    if (site->bad.size() > bad_max) site->bad.clear();
}

void Delivery::lookup_failed(const DestinationPtr& destination, const Reply& trouble) {
    Outcome why;
    why.stage = "dns";
    why.reply = trouble;
    why.reason = trouble.text;
    why.result = trouble.status.klass == 5 ? Outcome::Result::failed : Outcome::Result::deferred;
    Obstacle& obstacle = destination->obstacle;
    if (why.result == Outcome::Result::deferred) {
        double spread = std::uniform_real_distribution<>(0, 1)(random_);
        ++obstacle.failures;
        obstacle.down = true;
        obstacle.trouble = why.reason;
        obstacle.next_try = base::steady_now() + site_pause(settings_->queue, obstacle.failures, spread);
        wake(destination, obstacle.next_try);
    } else {
        obstacle = {};
        destination->site.reset();  // nothing of it is good any more, should the name servers be away next
    }
    std::vector<Job> jobs;
    for (Job& job : std::exchange(destination->unresolved, {})) jobs.push_back(std::move(job));
    settle_all(std::move(jobs), why);
    if (obstacle.down) return;
    queue_.refill(destination->route);  // the verdict holds for the rest of its mail too
    feed(destination->hungry);
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
    asio::post(io_, [this, job = std::move(job), why = std::move(why)]() mutable {
        if (stopping_) return;
        std::vector<Job> jobs;
        jobs.push_back(std::move(job));
        settle_all(std::move(jobs), why);
    });
}

Lane& Delivery::lane(Site& site, const Source& source) {
    Lane& out = site.lanes[source.address];
    out.source = source;
    return out;
}

void Delivery::dispatch(Job job, const SitePtr& site) {
    Source source{{}, settings_->hostname};
    if (site->pooled) {
        const Address& sender = job.message->stored->message.envelope.reverse_path;
        std::string_view domain = job.route;
        domain.remove_prefix(std::min<std::size_t>(3, domain.size()));  // "mx:"
        Families reach = families(*site);
        auto choice = pool_.choose(Place(site->exchangers, domain), sender.domain, reach, base::wall_now(),
                                   job.suspect);
        if (!choice.source) {
            Outcome why;
            why.stage = "egress";
            why.reason = choice.why;
            why.attempted = false;
            if (pool_.preview(site->exchangers, sender.domain, reach, base::wall_now()).source) {
                put_off(job.route, choice);
            } else if (!site->obstacle.down) {
                auto leader = leading_.find(site->key);
                observer_.on(event::Rotated{site->exchangers,
                                            leader == leading_.end() ? std::string_view() : leader->second,
                                            {},
                                            choice.why});
                auto pause = std::clamp<Time::duration>(choice.again - base::wall_now(),
                                                        Time::duration::zero(), std::chrono::hours(1));
                put_down(site, choice.why, base::steady_now() + pause);
            }
            return settle_later(std::move(job), std::move(why));
        }
        source = std::move(*choice.source);
    }
    lane(*site, source).ready.push(std::move(job));
    employ(site);
}

void Delivery::employ(const SitePtr& site) {
    if (stopping_ || spool_.stuck() || site->obstacle.down || site->lanes.empty()) return;
    Time time = base::steady_now();
    if (auto wait = site->pace.wait(time); wait > Time::duration::zero()) {
        if (site->ready() > 0) wake(site, time + wait);
        return;
    }
    for (std::size_t at = 0; at < site->lanes.size(); ++at) {
        auto found = std::next(site->lanes.begin(),
                               static_cast<std::ptrdiff_t>((site->turn + at) % site->lanes.size()));
        Lane& lane = found->second;
        if (lane.ready.empty()) continue;
        if (!lane.idle.empty()) {
            Rest* resting = lane.idle.front();
            lane.idle.pop_front();
            resting->woken = true;
            resting->timer.cancel();
            site->turn += at + 1;
            return;
        }
        unsigned limit = site->obstacle.failures > 0 ? 1 : site->window.size();
        if (site->connections >= limit || lane.opening >= lane.ready.size()) continue;
        if (!may_open(site)) return;
        if (site->connections == 0) ++employed_;
        ++site->connections;
        ++site->opening;
        ++lane.connections;
        ++lane.opening;
        ++connections_;
        site->turn += at + 1;
        run(work(site, lane), [this, site, &lane] { release(site, lane); });
        return;
    }
}

/// Whether there is a connection for it; if not, it is called when there may be.
bool Delivery::may_open(const SitePtr& site) {
    auto want = [&](std::deque<SitePtr>& line) {
        if (!std::exchange(site->in_want, true)) line.push_back(site);
        return false;
    };
    if (connections_ >= settings_->delivery.connections) {
        auto other =
            std::find_if(resting_.begin(), resting_.end(), [](Rest* one) { return !one->dismissed; });
        if (other != resting_.end()) {
            (*other)->dismissed = true;
            (*other)->timer.cancel();
        }
        return want(starving_);
    }
    if (site->proven && site->obstacle.failures == 0) return true;
    if (site->newcomers == 0 && !site->targets.empty()) {
        auto address = site->targets.front().endpoint.address();
        site->where = {address.to_string(), network_of(address)};
    }
    if (!newcomers_.room(site->where)) return want(unknown_);
    newcomers_.begin(site->where);
    ++site->newcomers;
    return true;
}

void Delivery::release(const SitePtr& site, Lane& lane) {
    --site->connections;
    --lane.connections;
    --connections_;
    if (site->connections == 0) --employed_;
    if (leaving_ > 0) --leaving_;
    if (site->newcomers > site->connections) {
        --site->newcomers;
        newcomers_.end(site->where);
    }
    call_next();
    employ(site);
    arm();
}

void Delivery::call_next() {
    const std::size_t most = settings_->delivery.connections;
    auto take = [](std::deque<SitePtr>& line) {
        SitePtr out = std::move(line.front());
        line.pop_front();
        out->in_want = false;
        return out;
    };
    while (!starving_.empty() && connections_ < most) employ(take(starving_));
    // Those of a network that has its part stay in line.
    for (std::size_t left = std::min(unknown_.size(), called_at_once); left > 0 && connections_ < most;
         --left)
        employ(take(unknown_));
}

void Delivery::refill(const SitePtr& site) { feed(site->hungry); }

void Delivery::works(const SitePtr& site) {
    bool more = site->obstacle.failures > 0 || !site->proven;
    if (more) newcomers_.good(site->where);
    site->proven = true;
    site->obstacle = {};
    if (site->newcomers > 0) newcomers_.end(site->where, std::exchange(site->newcomers, 0));
    site->window.good();
    if (more) refill(site);
}

void Delivery::put_down(const SitePtr& site, std::string why, Time until) {
    site->obstacle.down = true;
    ++site->obstacle.failures;
    site->obstacle.trouble = std::move(why);
    site->obstacle.next_try = until;
    wake(site, until);
}

/// `others`: connections to the site that stand; `begun`: when that began which failed.
void Delivery::fails(const SitePtr& site, const Outcome& why, unsigned others, Time begun) {
    // Ten connections that were under way when it went down found out the same thing.
    if (begun <= site->failed_at) {
        if (!site->obstacle.down) employ(site);
        return;
    }
    if (others > 0 && site->obstacle.failures == 0) {
        // Some connections stand: the site wants fewer of them, it is not down.
        site->window.bad(others);
        return;
    }
    site->failed_at = base::steady_now();
    newcomers_.bad(site->where);
    site->families = FamilyMemory(1);  // the next attempt tries both again
    double spread = std::uniform_real_distribution<>(0, 1)(random_);
    put_down(site, why.reason.empty() ? why.reply.line() : why.reason,
             base::steady_now() + site_pause(settings_->queue, site->obstacle.failures + 1, spread));
    site->window.bad(0);
    std::vector<Job> jobs;
    for (auto& [address, lane] : site->lanes)
        for (Job& job : lane.ready.drain()) jobs.push_back(std::move(job));
    settle_all(std::move(jobs), why);
}

}  // namespace postern::relay
