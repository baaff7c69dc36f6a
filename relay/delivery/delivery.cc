#include "relay/delivery/delivery.h"

#include <algorithm>
#include <stdexcept>

#include "relay/delivery/dnssec_memory.h"
#include "relay/delivery/route.h"
#include "relay/mail/trace.h"
#include "relay/net/dnssec.h"
#include "relay/net/tls.h"
#include "relay/queue/schedule.h"
#include "sync/base/clock.h"
#include "sync/base/file.h"
#include "sync/base/file_fault.h"
#include "sync/base/forget_oldest.h"

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
constexpr std::chrono::seconds dot_grace{150};     // at a stop, for a message that is sent and not answered
constexpr std::chrono::seconds forget_after{120};  // destinations nobody sends to
constexpr std::size_t learnt_max = 64u << 20;      // octets of a file of what was learnt

/// What was learnt before this start; "" when nothing was. Without a file that is there all of it would be
/// forgotten, and then replaced.
std::string learnt(const std::filesystem::path& file) {
    auto text = base::read_file(file, learnt_max);
    if (text) return std::move(*text);
    if (text.error() == std::errc::no_such_file_or_directory) return {};
    throw std::runtime_error("state_dir: cannot read " + base::file_fault(file, text.error()) +
                             "; or take it away: what was learnt of receivers is learnt again");
}

}  // namespace

Delivery::Delivery(net::io_context& io, Spool& spool, SettingsPtr settings,
                   std::shared_ptr<const sync::Snapshot> directory, Observer& observer)
    : io_(io),
      spool_(spool),
      settings_(std::move(settings)),
      directory_(std::move(directory)),
      observer_(observer),
      resolver_(std::make_unique<net::Resolver>(io, settings_->dns)),
      proof_(recall_proof(settings_->state_dir, settings_->dns)),
      ours_(our_listeners(*settings_, *own_)),
      tls_(net::client_context(settings_->tls)),
      fetch_(io),
      policies_(io, learnt(settings_->state_dir / policies_file)),
      pool_(settings_, learnt(settings_->state_dir / egress_file), base::wall_now()),
      queue_(spool, settings_, observer, hooks()),
      timer_(io),
      blocklists_(io) {
    fetch_.terms(tls_, settings_->delivery.ignore_addresses, own_);
    policies_.fetch_with([this](std::string domain, std::vector<asio::ip::address> addresses) {
        return fetch_.get(std::move(domain), std::move(addresses));
    });
}

/// Each pair of primaries once: that one gets the other's mail is what an administrator wants to know.
void Delivery::tell_between(const Envelope& envelope, const Address& recipient, const std::string& route) {
    constexpr std::string_view primary = "primary:";
    if (envelope.bounce || envelope.primary.empty() || !route.starts_with(primary)) return;
    std::string to = route.substr(primary.size());
    if (to == envelope.primary || !between_.emplace(envelope.primary, to).second) return;
    observer_.on(event::BetweenPrimaries{envelope.primary, to, recipient.domain});
}

Queue::Hooks Delivery::hooks() {
    Queue::Hooks out;
    out.route = [this](const Envelope& envelope, const Address& recipient) {
        std::string key = choose_route(*settings_, *directory_, envelope, recipient, base::wall_now()).key;
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
        return report(stored, progress, notices);
    };
    return out;
}

void Delivery::start() {
    newcomers_.limit(settings_->delivery.connections, settings_->delivery.per_destination);
    move_obsolete();
    watch_dnssec();
    tick();
    run(watch_blocklists(), {});
}

/// Lets `work` go on by itself; `after` comes at its end, however that is.
void Delivery::run(net::awaitable<void> work, std::function<void()> after) {
    auto over = [this, after = std::move(after)](const std::exception_ptr& fault) {
        if (after) after();
        if (!fault) return;
        try {
            std::rethrow_exception(fault);
        } catch (const std::exception& what) {
            observer_.on(event::Trouble{"delivery", what.what(), true});
        }
    };
    // Never at once: the queue may be offering a job just now, and must not be told of it before it has done.
    asio::post(io_, [this, work = std::move(work), over = std::move(over)]() mutable {
        asio::co_spawn(io_, std::move(work), std::move(over));
    });
}

void Delivery::reload(SettingsPtr settings, const net::PreparedTls& tls) {
    if (settings->dns != resolver_->dnssec().settings()) {
        try {
            resolver_->reload(settings->dns);
            proof_due_ = true;
        } catch (const std::exception& fault) {
            observer_.on(event::Trouble{
                "dns", std::string(fault.what()) + "; names are asked for as before until the next reload",
                false});
        }
    }
    settings_ = std::move(settings);
    queue_.reload(settings_);
    newcomers_.limit(settings_->delivery.connections, settings_->delivery.per_destination);
    pool_.reload(settings_, base::wall_now());
    ours_ = our_listeners(*settings_, *own_);
    if (tls)
        tls_ = *tls;
    else
        observer_.on(event::Trouble{"tls", tls.error(), false});
    fetch_.terms(tls_, settings_->delivery.ignore_addresses, own_);
    for (auto& [key, one] : destinations_) one->fresh_until = {};
    for (auto& [key, one] : sites_) {
        one->looked_up = {};
        std::string origin = origin_of(*settings_, one->route);
        if (origin == one->origin) continue;
        // Neither the mail nor a new password goes to what was a gateway before.
        one->origin = std::move(origin);
        one->targets.clear();
    }
    // Everything in line asks again which way it goes.
    recall([](const Job&) { return true; });
    // What is down may be so because of the settings that were just changed.
    retry_destinations({});
    move_obsolete();
    redistribute_all();
    blocklists_.cancel();
    arm();
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
        const GatewaySettings* gateway = find_gateway(*settings_, route.substr(8));
        return gateway != nullptr && gateway->enabled;
    }
    return !route.starts_with("primary:") || find_primary(*settings_, route.substr(8)) != nullptr;
}

void Delivery::committed(std::vector<StoredPtr> accepted, std::uint64_t changes, bool unstuck) {
    if (stopping_) return queue_.committed(changes);
    for (auto& stored : accepted) queue_.admit(std::move(stored));
    queue_.committed(changes);
    if (unstuck) resume();
    arm();
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
    for (const auto& gateway : settings_->gateways)
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
        if (known != nullptr && obstacle == nullptr && known->site && known->site->obstacle.down)
            obstacle = &known->site->obstacle;
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
        (one.site ? one.site->hungry : one.hungry).add(route);
    }
    return 0;
}

std::size_t Delivery::room_at(const std::string& key) const {
    if (stopping_ || spool_.stuck()) return 0;
    const Destination* known = find(key);
    if (known == nullptr) return ready_unproven;
    if (known->obstacle.down || known->listed.down) return 0;
    std::size_t taken = known->unresolved.size();
    std::size_t limit = known->site && known->site->proven ? ready_max : ready_unproven;
    // After a failure one message finds out whether it is over.
    bool probing = known->obstacle.failures > 0 || known->listed.failures > 0;
    if (known->site) {
        if (known->site->obstacle.down) return 0;
        probing = probing || known->site->obstacle.failures > 0;
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
        for (auto& [address, from] : one->lanes)
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
                wake(one, time);
            }
        if (one->site && one->site->obstacle.down && one->site->obstacle.next_try > time) {
            ++done;
            one->site->obstacle.next_try = time;
            wake(one->site, time);
        }
    }
    arm();
    return done;
}

// ---- time

void Delivery::wake(const SitePtr& site, Time at) {
    if (site->alarmed != Time{} && site->alarmed <= at) return;  // that one sees what is to be done, and when
    site->alarmed = at;
    alarms_.push_back(Alarm{at, site, {}});
    std::push_heap(alarms_.begin(), alarms_.end(), std::greater<>());
    arm();
}

void Delivery::wake(const DestinationPtr& destination, Time at) {
    alarms_.push_back(Alarm{at, {}, destination});
    std::push_heap(alarms_.begin(), alarms_.end(), std::greater<>());
    arm();
}

void Delivery::arm() {
    if (stopping_) return;
    Time next = std::min(queue_.next_run(), next_persist_);
    if (!alarms_.empty()) next = std::min(next, alarms_.front().at);
    if (next >= armed_) return;
    armed_ = next;
    auto pause = std::max(next - base::steady_now(), Time::duration(std::chrono::milliseconds(1)));
    timer_.expires_after(std::min<Time::duration>(pause, std::chrono::hours(1)));
    timer_.async_wait([this](std::error_code error) {
        if (!error) tick();
    });
}

void Delivery::tick() {
    armed_ = Time::max();
    if (stopping_) return;
    Time time = base::steady_now();
    // What is over is known before anybody asks: the queue gives nothing up whose destination is about to be
    // tried.
    // One message may have had thousands of destinations: others have their turn between them.
    auto begun = std::chrono::steady_clock::now();
    while (!alarms_.empty() && alarms_.front().at <= time &&
           std::chrono::steady_clock::now() - begun < slice) {
        std::pop_heap(alarms_.begin(), alarms_.end(), std::greater<>());
        Alarm alarm = std::move(alarms_.back());
        alarms_.pop_back();
        if (auto known = alarm.destination.lock()) {
            bool over = false;
            for (Obstacle* obstacle : {&known->obstacle, &known->listed})
                if (obstacle->down && obstacle->next_try <= time) {
                    obstacle->down = false;
                    over = true;
                }
            if (over) {
                queue_.refill(known->route);
                feed(known->hungry);
                if (known->site) refill(known->site);
            }
            if (over && !known->obstacle.down && !known->unresolved.empty()) look_up(known);
        }
        auto site = alarm.site.lock();
        if (!site) continue;
        if (site->alarmed <= time) site->alarmed = {};
        if (site->obstacle.down && site->obstacle.next_try > time) {
            wake(site, site->obstacle.next_try);
            continue;
        }
        if (std::exchange(site->obstacle.down, false)) {
            // Nothing waits there any more: its trouble is history.
            refill(site);
            if (site->ready() == 0 && site->connections == 0) site->obstacle = {};
        }
        // What stood in line here all the time left no room for more, and is the probe itself.
        employ(site);
    }
    queue_.run(time);
    if (forget_due_) forget(time);
    if (next_persist_ <= time) tidy(time);
    arm();
}

/// Forgets what nobody sends to, and has what was learnt written down.
void Delivery::tidy(Time time) {
    next_persist_ = time + persist_pause;
    persist(false);
    if (next_sweep_ > time) return;
    next_sweep_ = time + sweep_pause;
    for (auto& [key, one] : std::map(sites_)) refill(one);
    forget(time);
}

/// Destinations and sites nobody sends to; names of strangers may make many of them in little time.
void Delivery::forget(Time time) {
    forget_due_ = false;
    const auto routes = queue_.routes();
    const auto in_use = [this](const Destination& one) {
        return one.resolving || !one.unresolved.empty() ||
               (!one.route.starts_with("mx:") && exists(one.route));
    };
    std::erase_if(destinations_, [&](const auto& entry) {
        const Destination& one = *entry.second;
        bool troubled = one.obstacle.failures > 0 || one.listed.failures > 0 ||
                        (one.site && one.site->obstacle.failures > 0);
        return one.fresh_until + forget_after < time && !in_use(one) &&
               !(troubled && routes.contains(one.route));
    });
    base::forget_oldest(
        destinations_, known_max, [&](const DestinationPtr& one) { return !in_use(*one); },
        [](const DestinationPtr& one) { return std::max(one->fresh_until, one->obstacle.next_try); });
    const auto idle = [](const SitePtr& one) {
        return one.use_count() == 1 && one->connections == 0 && one->ready() == 0;
    };
    std::erase_if(sites_, [&](const auto& entry) {
        return idle(entry.second) && entry.second->obstacle.failures == 0;
    });
    base::forget_oldest(sites_, known_max, idle,
                        [](const SitePtr& one) { return std::max(one->looked_up, one->failed_at); });
    std::erase_if(leading_, [this](const auto& entry) { return !sites_.contains(entry.first); });
}

net::awaitable<void> Delivery::stop(std::chrono::seconds grace) {
    stopping_ = true;
    timer_.cancel();
    blocklists_.cancel();
    for (auto& [key, one] : destinations_) one->unresolved.clear();
    for (auto& [key, one] : sites_)
        for (auto& [address, from] : one->lanes) {
            from.ready.drain();
            for (Rest* resting : std::exchange(from.idle, {})) {
                resting->woken = true;
                resting->timer.cancel();
            }
        }
    const auto begun = std::chrono::steady_clock::now();
    const auto patience = grace.count() > 0 ? std::max(grace, dot_grace) : grace;
    asio::steady_timer poll(io_);
    while (traffic_->transactions > 0 && std::chrono::steady_clock::now() < begun + patience) {
        if (std::chrono::steady_clock::now() >= begun + grace)
            for (Client* client : traffic_->clients)
                if (!client->behind_dot()) client->abort();
        poll.expires_after(std::chrono::milliseconds(20));
        co_await poll.async_wait(net::as_value);
    }
    for (Client* client : traffic_->clients) client->abort();
    for (int round = 0; traffic_->transactions > 0 && round < 50; ++round) {
        poll.expires_after(std::chrono::milliseconds(20));
        co_await poll.async_wait(net::as_value);
    }
    persist(true);
}

}  // namespace postern::relay
