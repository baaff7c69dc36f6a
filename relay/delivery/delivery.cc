#include "relay/delivery/delivery.h"

#include <algorithm>

#include "relay/delivery/reporter.h"
#include "relay/delivery/route.h"
#include "relay/queue/schedule.h"
#include "sync/base/clock.h"

namespace postern::relay {

namespace {

constexpr std::size_t ready_max = 2'000;       // jobs per site in memory
constexpr std::size_t ready_unproven = 50;     // as long as it has not taken a message
constexpr std::size_t share = 20;              // jobs of a route that come in even when the site has enough
constexpr std::size_t part = 50;               // jobs of a route that are taken up in its turn
constexpr unsigned turns = 4;                  // taken at once
constexpr std::size_t closed_max = 20;         // routes looked at that have no room, before the rest is left
constexpr std::chrono::milliseconds slice{5};  // of work that is due, before others have their turn
constexpr std::chrono::seconds persist_pause{5}, sweep_pause{60};
constexpr std::chrono::seconds forget_after{120};  // destinations nobody sends to

}  // namespace

Delivery::Delivery(net::io_context& io, Spool& spool, SettingsPtr settings,
                   std::shared_ptr<const sync::Snapshot> directory, Observer& observer)
    : env_{io, spool, observer, std::move(settings)},
      directory_(std::move(directory)),
      learnt_(env_),
      names_(env_, learnt_),
      contents_(env_),
      sources_(env_, learnt_.recall(egress_file)),
      listing_(env_, sources_, names_),
      queue_(spool, env_.settings, observer, hooks()),
      alarms_(
          io, [this] { return std::min(queue_.next_run(), next_persist_); }, [this] { tick(); }),
      connections_(env_) {}

/// Each pair of primaries once: that one gets the other's mail is what an administrator wants to know.
void Delivery::tell_between(const Envelope& envelope, const Address& recipient, const std::string& route) {
    constexpr std::string_view primary = "primary:";
    if (envelope.bounce || envelope.primary.empty() || !route.starts_with(primary)) return;
    std::string to = route.substr(primary.size());
    if (to == envelope.primary || !between_.emplace(envelope.primary, to).second) return;
    env_.observer.on(event::BetweenPrimaries{envelope.primary, to, recipient.domain});
}

Queue::Hooks Delivery::hooks() {
    Queue::Hooks out;
    out.route = [this](const Envelope& envelope, const Address& recipient) {
        std::string key =
            choose_route(*env_.settings, *directory_, envelope, recipient, base::wall_now()).key;
        tell_between(envelope, recipient, key);
        return key;
    };
    out.exists = [this](const std::string& route) { return exists(route); };
    out.room = [this](const std::string& route) { return room(route); };
    out.offer = [this](Job job) { offer(std::move(job)); };
    out.trouble = [this](const std::string& route) {
        auto obstacle = blocked(route);
        return obstacle ? obstacle->trouble : std::string();
    };
    out.next_try = [this](const std::string& route) {
        auto obstacle = blocked(route);
        return obstacle ? obstacle->next_try : base::steady_now();
    };
    out.report = [this](const Stored& stored, const Progress& progress,
                        const std::vector<Queue::Notice>& notices) {
        return report_on(env_.spool, env_.settings, stored, progress, notices);
    };
    return out;
}

void Delivery::start() {
    connections_.reload();
    move_obsolete();
    names_.start([this] {
        for (auto& [key, one] : destinations_) one->fresh_until = {};
        retry_destinations({});
    });
    tick();
    env_.run(listing_.watch([this] {
        redistribute_all();
        alarms_.arm();
    }));
}

void Delivery::reload(SettingsPtr settings) {
    env_.settings = std::move(settings);
    names_.reload();
    queue_.reload(env_.settings);
    connections_.reload();
    sources_.reload();
    for (auto& [key, one] : destinations_) one->fresh_until = {};
    for (auto& [key, one] : sites_) one->distrust(origin_of(*env_.settings, one->hosts().route));
    // Everything in line asks again which way it goes.
    recall([](const Job&) { return true; });
    // What is down may be so because of the settings that were just changed.
    retry_destinations({});
    move_obsolete();
    redistribute_all();
    listing_.ask_now();
    alarms_.arm();
}

/// What waits for something the configuration has no more, since a reload or since the last start.
void Delivery::move_obsolete() {
    for (const auto& route : queue_.routes())
        if (!exists(route)) queue_.reroute(route);
}

/// Whether the configuration still has what a route is named after.
bool Delivery::exists(const std::string& route) const {
    if (route == all_gateways) return !lanes(route).empty();
    if (route.starts_with("gateway:")) {
        const GatewaySettings* gateway = find_gateway(*env_.settings, route.substr(8));
        return gateway != nullptr && gateway->enabled;
    }
    return !route.starts_with("primary:") || find_primary(*env_.settings, route.substr(8)) != nullptr;
}

void Delivery::committed(std::vector<StoredPtr> accepted, std::uint64_t changes, bool unstuck) {
    if (env_.stopping) return queue_.committed(changes);
    for (auto& stored : accepted) queue_.admit(std::move(stored));
    queue_.committed(changes);
    if (unstuck) resume();
    alarms_.arm();
}

void Delivery::resume() {
    for (auto& [key, one] : std::map(sites_)) {
        employ(one);
        refill(one);
    }
    queue_.look_everywhere();
}

// ---- routes and their room

/// The routes that mail for a route may take: one, but for the round-robin gateways.
std::vector<std::string> Delivery::lanes(const std::string& route) const {
    if (route != all_gateways) return {route};
    std::vector<std::string> out;
    for (const auto& gateway : env_.settings->gateways)
        if (gateway.enabled && gateway.type == GatewayType::round_robin)
            out.push_back("gateway:" + gateway.name);
    return out;
}

/// The next in turn that takes mail; "" when none does.
std::string Delivery::next_lane(const std::string& route) {
    if (route != all_gateways) return route;
    auto all = lanes(route);
    for (std::size_t at = 0; at < all.size(); ++at) {
        std::size_t turn = (turn_ + at) % all.size();
        if (room_at(all[turn]) == 0) continue;
        turn_ = turn + 1;
        return all[turn];
    }
    return {};
}

const Destination* Delivery::find(const std::string& route) const {
    auto found = destinations_.find({route, TlsWish::none});
    return found == destinations_.end() ? nullptr : found->second.get();
}

/// What holds up a route: nothing as long as one of its lanes is open.
std::optional<Delivery::Blocked> Delivery::blocked(const std::string& route) const {
    std::optional<Blocked> out;
    for (const auto& key : lanes(route)) {
        const Destination* known = find(key);
        const Obstacle* obstacle = nullptr;
        if (known != nullptr && known->obstacle.down) obstacle = &known->obstacle;
        if (known != nullptr && known->listed.down) obstacle = &known->listed;
        if (known != nullptr && obstacle == nullptr && known->site && known->site->obstacle().down)
            obstacle = &known->site->obstacle();
        if (obstacle == nullptr) return std::nullopt;
        if (!out || obstacle->next_try < out->next_try) out = Blocked{obstacle->trouble, obstacle->next_try};
    }
    return out;
}

std::size_t Delivery::room_in_all(const std::string& route) const {
    if (!exists(route)) return ready_max;  // the queue finds that out, and moves what waits there
    std::size_t out = 0;
    for (const auto& key : lanes(route)) out += room_at(key);
    return out;
}

/// Whoever is refused here is called as soon as one of the lanes may have room.
std::size_t Delivery::room(const std::string& route) {
    if (std::size_t out = room_in_all(route); out > 0) return out;
    for (const auto& key : lanes(route)) {
        auto known = destinations_.find({key, TlsWish::none});
        if (known == destinations_.end()) continue;
        Destination& one = *known->second;
        (one.site ? one.site->routes_without_room : one.routes_without_room).add(route);
    }
    return 0;
}

std::size_t Delivery::room_at(const std::string& key) const {
    if (env_.stopping || env_.spool.stuck()) return 0;
    const Destination* known = find(key);
    if (known == nullptr) return ready_unproven;
    if (known->obstacle.down || known->listed.down) return 0;
    std::size_t taken = known->unresolved.size();
    std::size_t limit = known->site && known->site->proven() ? ready_max : ready_unproven;
    // After a failure one message finds out whether it is over.
    bool probing = known->obstacle.failures > 0 || known->listed.failures > 0;
    if (known->site) {
        if (known->site->obstacle().down) return 0;
        probing = probing || known->site->obstacle().failures > 0;
        taken += known->site->ready();
    }
    if (probing) return 1 - std::min<std::size_t>(1, taken);
    if (taken < limit) return limit - taken;
    // A domain with little mail does not wait outside for one with much.
    std::size_t own = queue_.in_hand(key);
    return limit == ready_max && taken < 2 * ready_max && own < share ? share - own : 0;
}

/// The routes that were refused take turns, so that none of them fills the line with its own mail.
void Delivery::feed(Hungry& hungry) {
    unsigned taken = 0, closed = 0;  // turns, and routes in a row that still have no room
    while (!hungry.empty() && taken < turns && closed < std::min(hungry.size(), closed_max)) {
        std::string route = hungry.take();
        bool open = room_in_all(route) > 0;
        if (!open || queue_.refill(route, part)) hungry.add(route);
        taken += open ? 1 : 0;
        closed = open ? 0 : closed + 1;
    }
}

void Delivery::recall() {
    recall([](const Job& job) { return job.message->halted(); });
}

void Delivery::recall(const std::function<bool(const Job&)>& which) {
    for (auto& [key, one] : std::map(sites_))
        for (auto& [address, from] : one->queues())
            for (const Job& job : from.ready.extract(which)) queue_.give_back(job);
    for (auto& [key, one] : std::map(destinations_)) {
        std::deque<Job> kept;
        for (Job& job : std::exchange(one->unresolved, {})) {
            if (which(job))
                queue_.give_back(job);
            else
                kept.push_back(std::move(job));
        }
        for (Job& job : one->unresolved) kept.push_back(std::move(job));
        one->unresolved = std::move(kept);
    }
}

std::size_t Delivery::retry_destinations(const std::string& route) {
    std::size_t done = 0;
    Time time = base::steady_now();
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

// ---- time

void Delivery::tick() {
    alarms_.disarm();
    if (env_.stopping) return;
    Time time = base::steady_now();
    // What is over is known before anybody asks: the queue gives nothing up whose destination is about to be
    // tried.
    // One message may have had thousands of destinations: others have their turn between them.
    auto begun = std::chrono::steady_clock::now();
    while (std::chrono::steady_clock::now() - begun < slice) {
        auto alarm = alarms_.take(time);
        if (!alarm) break;
        if (const auto& known = alarm->destination) {
            bool over = false;
            for (Obstacle* obstacle : {&known->obstacle, &known->listed})
                if (obstacle->down && obstacle->next_try <= time) {
                    obstacle->down = false;
                    over = true;
                }
            if (over) {
                queue_.refill(known->route);
                feed(known->routes_without_room);
                if (known->site) refill(known->site);
            }
            if (over && !known->obstacle.down && !known->unresolved.empty()) look_up(known);
        }
        const auto& site = alarm->site;
        if (!site) continue;
        if (site->obstacle().down && site->obstacle().next_try > time) {
            alarms_.set(site, site->obstacle().next_try);
            continue;
        }
        if (site->end_pause()) {
            // Nothing waits there any more: its trouble is history.
            refill(site);
            if (site->ready() == 0 && site->connections() == 0) site->forget_trouble();
        }
        // What stood in line here all the time left no room for more, and is the probe itself.
        employ(site);
    }
    queue_.run(time);
    if (next_persist_ <= time) tidy(time);
    alarms_.arm();
}

/// Forgets what nobody sends to, and has what was learnt written down.
void Delivery::tidy(Time time) {
    next_persist_ = time + persist_pause;
    persist(false);
    if (next_sweep_ > time) return;
    next_sweep_ = time + sweep_pause;
    auto routes = queue_.routes();
    for (auto& [key, one] : std::map(sites_)) refill(one);
    std::erase_if(destinations_, [&](const auto& entry) {
        const Destination& one = *entry.second;
        bool troubled = one.obstacle.failures > 0 || one.listed.failures > 0 ||
                        (one.site && one.site->obstacle().failures > 0);
        return one.fresh_until + forget_after < time && !one.resolving && one.unresolved.empty() &&
               !(troubled && routes.contains(one.route)) &&
               (one.route.starts_with("mx:") || !exists(one.route));
    });
    std::erase_if(sites_, [](const auto& entry) {
        const Site& one = *entry.second;
        return entry.second.use_count() == 1 && one.connections() == 0 && one.ready() == 0 &&
               one.obstacle().failures == 0;
    });
    listing_.forget([this](const std::string& site) { return !sites_.contains(site); });
}

net::awaitable<void> Delivery::stop(std::chrono::seconds grace) {
    env_.stopping = true;
    alarms_.stop();
    listing_.ask_now();
    for (auto& [key, one] : destinations_) one->unresolved.clear();
    for (auto& [key, one] : sites_)
        for (auto& [address, from] : one->queues()) {
            from.ready.drain();
            while (from.wake_one()) continue;
        }
    co_await connections_.finish(grace);
    persist(true);
}

}  // namespace postern::relay
