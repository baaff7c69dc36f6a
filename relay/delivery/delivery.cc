#include "relay/delivery/delivery.h"

#include <algorithm>

#include "relay/delivery/bounce.h"
#include "relay/delivery/route.h"
#include "relay/mail/trace.h"
#include "relay/net/tls.h"
#include "relay/queue/schedule.h"

namespace postern::relay {

namespace {

constexpr std::size_t ready_max = 2'000;    // jobs per destination in memory
constexpr unsigned successes_to_grow = 20;  // transactions before a lowered connection limit grows by one

const std::string all_gateways = "gateways";  // Route::key of all that are round-robin

Time now() { return std::chrono::system_clock::now(); }

}  // namespace

Delivery::Delivery(net::io_context& io, Spool& spool, SettingsPtr settings,
                   std::shared_ptr<const sync::Snapshot> directory, Observer& observer)
    : io_(io),
      spool_(spool),
      settings_(std::move(settings)),
      directory_(std::move(directory)),
      observer_(observer),
      resolver_(std::make_unique<net::Resolver>(io, settings_->dns)),
      tls_(net::client_context(settings_->tls)),
      queue_(spool, settings_, observer, hooks()),
      timer_(io) {}

Queue::Hooks Delivery::hooks() {
    Queue::Hooks out;
    out.route = [this](const Envelope& envelope, const Address& recipient) {
        return choose_route(*settings_, *directory_, envelope, recipient, now()).key;
    };
    out.room = [this](const std::string& route) { return room(route); };
    out.offer = [this](Job job) { offer(std::move(job)); };
    out.trouble = [this](const std::string& route) {
        const Site* known = blocked(route);
        return known != nullptr ? known->trouble : std::string();
    };
    out.next_try = [this](const std::string& route) {
        const Site* known = blocked(route);
        return known != nullptr ? known->next_try : now();
    };
    out.bounce = [this](const Stored& stored, const Progress& progress,
                        const std::vector<std::uint16_t>& failed) {
        return bounce(stored, progress, failed);
    };
    return out;
}

void Delivery::start() { tick(); }

void Delivery::reload(SettingsPtr settings) {
    settings_ = std::move(settings);
    queue_.reload(settings_);
    try {
        tls_ = net::client_context(settings_->tls);
    } catch (const std::exception& fault) {
        observer_.on(event::Trouble{"tls", fault.what(), false});
    }
    // What is down may be so because of the settings that were just changed.
    retry_destinations({});
    for (const auto& route : queue_.routes())
        if (!exists(route)) queue_.reroute(route);
    for (auto& [key, one] : std::map(sites_)) {
        if (exists(key)) continue;
        for (const Job& job : std::exchange(one->ready, {})) queue_.give_back(job);
    }
    arm();
}

/// Whether the configuration still has what a destination is named after.
bool Delivery::exists(const std::string& route) const {
    if (route == all_gateways) return !lanes(route).empty();
    if (route.starts_with("gateway:")) {
        const GatewaySettings* gateway = find_gateway(*settings_, route.substr(8));
        return gateway != nullptr && gateway->enabled;
    }
    return !route.starts_with("primary:") || find_primary(*settings_, route.substr(8)) != nullptr;
}

void Delivery::committed(std::vector<StoredPtr> accepted, std::uint64_t changes) {
    if (stopping_) return queue_.committed(changes);
    for (auto& stored : accepted) queue_.admit(std::move(stored));
    queue_.committed(changes);
    if (paused_ && !spool_.stuck()) resume();
    paused_ = spool_.stuck();
    arm();
}

void Delivery::resume() {
    for (auto& [key, one] : std::map(sites_)) {
        employ(one);
        refill(one);
    }
    for (const auto& [route, due] : std::map(queue_.waiting())) queue_.refill(route);
}

// ---- destinations

Delivery::SitePtr Delivery::site(const std::string& key) {
    SitePtr& out = sites_[key];
    if (!out) {
        out = std::make_shared<Site>();
        out->key = key;
    }
    return out;
}

const Delivery::Site* Delivery::find(const std::string& key) const {
    auto found = sites_.find(key);
    return found == sites_.end() ? nullptr : found->second.get();
}

/// The sites that mail for a destination may take: one, but for the round-robin gateways.
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

/// The site whose trouble holds up a destination: none as long as one of its lanes is open.
const Delivery::Site* Delivery::blocked(const std::string& route) const {
    const Site* out = nullptr;
    for (const auto& key : lanes(route)) {
        const Site* known = find(key);
        if (known == nullptr || !known->down) return nullptr;
        if (out == nullptr || known->next_try < out->next_try) out = known;
    }
    return out;
}

void Delivery::refill(const SitePtr& site) {
    queue_.refill(site->key);
    if (site->key.starts_with("gateway:")) queue_.refill(all_gateways);
}

std::size_t Delivery::room(const std::string& route) const {
    std::size_t out = 0;
    for (const auto& key : lanes(route)) out += room_at(key);
    return out;
}

std::size_t Delivery::room_at(const std::string& key) const {
    if (stopping_ || spool_.stuck()) return 0;
    const Site* known = find(key);
    if (known == nullptr) return ready_max;
    if (known->down) return 0;
    // After a failure one message finds out whether the destination is back.
    std::size_t limit = known->failures > 0 ? 1 : ready_max;
    return limit - std::min(limit, known->ready.size());
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
    SitePtr to = site(key);
    to->ready.push_back(std::move(job));
    employ(to);
}

void Delivery::employ(const SitePtr& site) {
    if (stopping_ || spool_.stuck() || site->down || site->ready.empty()) return;
    if (!site->idle.empty()) {
        Rest* resting = site->idle.front();
        site->idle.pop_front();
        resting->woken = true;
        resting->timer.cancel();
        return;
    }
    unsigned limit = site->limit > 0 ? site->limit : settings_->delivery.per_destination;
    if (site->failures > 0) limit = 1;
    if (site->connections >= limit || site->opening >= site->ready.size()) return;
    if (connections_ >= settings_->delivery.connections) {
        if (std::find(starving_.begin(), starving_.end(), site) == starving_.end()) starving_.push_back(site);
        return;
    }
    ++site->connections;
    ++site->opening;
    ++connections_;
    asio::co_spawn(io_, work(site), [this, site](const std::exception_ptr& fault) {
        release(site);
        if (!fault) return;
        try {
            std::rethrow_exception(fault);
        } catch (const std::exception& what) {
            observer_.on(event::Trouble{"delivery", what.what(), true});
        }
    });
}

void Delivery::release(const SitePtr& site) {
    --site->connections;
    --connections_;
    if (!starving_.empty()) {
        SitePtr next = starving_.front();
        starving_.pop_front();
        employ(next);
    }
    employ(site);
    if (site->connections == 0 && site->ready.empty() && !site->down && site->failures == 0) {
        auto known = sites_.find(site->key);
        if (known != sites_.end() && known->second == site) sites_.erase(known);
    }
    arm();
}

void Delivery::works(const SitePtr& site) {
    bool was_in_trouble = site->failures > 0;
    site->failures = 0;
    site->trouble.clear();
    if (site->limit > 0 && ++site->successes == successes_to_grow) {
        site->successes = 0;
        if (++site->limit >= settings_->delivery.per_destination) site->limit = 0;
    }
    if (was_in_trouble) refill(site);
}

/// `others`: connections to the destination that stand.
void Delivery::fails(const SitePtr& site, const Outcome& why, unsigned others) {
    std::string reason = why.reason.empty() ? why.reply.line() : why.reason;
    if (why.result != Outcome::Result::failed) {
        if (others > 0 && site->failures == 0) {
            // Some connections stand: the destination wants fewer of them, it is not down.
            site->limit = others;
            site->successes = 0;
            return;
        }
        ++site->failures;
        site->down = true;
        site->limit = 0;
        site->trouble = reason;
        double spread = std::uniform_real_distribution<>(0, 1)(random_);
        site->next_try = now() + site_pause(settings_->queue, site->failures, spread);
        probes_.emplace(site->next_try, site->key);
    }
    bool attempted = true;
    for (Job& job : std::exchange(site->ready, {})) {
        if (job.route == all_gateways && room(all_gateways) > 0) {
            offer(std::move(job));  // another gateway takes it
            continue;
        }
        std::vector<Outcome> outcomes(job.recipients.size(), why);
        for (auto& outcome : outcomes) {
            outcome.destination = true;
            outcome.attempted = attempted;
        }
        attempted = false;
        queue_.settle(job, std::move(outcomes));
    }
    if (site->down) return;
    site->failures = 0;
    site->trouble.clear();
    refill(site);  // the verdict holds for the rest of its mail too
}

std::size_t Delivery::retry_destinations(const std::string& route) {
    std::size_t done = 0;
    for (auto& [key, known] : sites_) {
        if (!known->down || (!route.empty() && key != route)) continue;
        ++done;
        probes_.erase({known->next_try, key});
        known->next_try = now();
        probes_.emplace(known->next_try, key);
    }
    armed_ = Time::max();
    arm();
    return done;
}

// ---- time

void Delivery::arm() {
    if (stopping_) return;
    Time next = queue_.next_run();
    if (!probes_.empty()) next = std::min(next, probes_.begin()->first);
    if (next >= armed_) return;
    armed_ = next;
    auto pause = std::max(next - now(), Time::duration(std::chrono::milliseconds(1)));
    timer_.expires_after(std::min<Time::duration>(pause, std::chrono::hours(1)));
    timer_.async_wait([this](std::error_code error) {
        if (!error) tick();
    });
}

void Delivery::tick() {
    armed_ = Time::max();
    if (stopping_) return;
    Time time = now();
    queue_.run(time);
    while (!probes_.empty() && probes_.begin()->first <= time) {
        std::string route = probes_.begin()->second;
        probes_.erase(probes_.begin());
        auto known = sites_.find(route);
        if (known == sites_.end() || !known->second->down) continue;
        SitePtr site = known->second;
        site->down = false;
        refill(site);
        // What stood in line here all the time left no room for more, and is the probe itself.
        employ(site);
        // Nothing waits there any more: its trouble is history.
        if (site->ready.empty() && site->connections == 0) sites_.erase(route);
    }
    arm();
}

net::awaitable<void> Delivery::stop(std::chrono::seconds grace) {
    stopping_ = true;
    timer_.cancel();
    for (auto& [route, site] : sites_) {
        site->ready.clear();
        for (Rest* resting : std::exchange(site->idle, {})) {
            resting->woken = true;
            resting->timer.cancel();
        }
    }
    auto end = std::chrono::steady_clock::now() + grace;
    asio::steady_timer poll(io_);
    while (transactions_ > 0 && std::chrono::steady_clock::now() < end) {
        poll.expires_after(std::chrono::milliseconds(20));
        co_await poll.async_wait(net::as_value);
    }
    for (Client* client : clients_) client->abort();
    for (int round = 0; transactions_ > 0 && round < 50; ++round) {
        poll.expires_after(std::chrono::milliseconds(20));
        co_await poll.async_wait(net::as_value);
    }
}

// ---- reports

StoredPtr Delivery::bounce(const Stored& stored, const Progress& progress,
                           const std::vector<std::uint16_t>& failed) const {
    const Message& original = stored.message;
    if (original.envelope.reverse_path.null()) return nullptr;  // a report is never answered (RFC 5321 §6.1)
    std::shared_ptr<const std::string> content = original.content.bytes;
    if (!content && original.content.file.empty()) content = spool_.load_content(original, stored.volume);
    std::string header = original.content.trace;
    if (content)
        header += header_of(*content);
    else if (!original.content.file.empty())
        header += read_header(original.content.file);
    std::vector<FailedRecipient> recipients;
    for (auto at : failed)
        recipients.push_back(FailedRecipient{original.envelope.forward_paths[at], progress[at]});
    auto out = std::make_shared<Stored>();
    out->message = make_bounce(settings_->hostname, original, header, recipients, spool_.new_id(), now());
    return out;
}

std::vector<DestinationView> Delivery::destinations(std::size_t limit) const {
    std::vector<DestinationView> out;
    for (bool troubled : {true, false})
        for (const auto& [route, site] : sites_) {
            if (out.size() == limit) return out;
            if ((site->failures > 0) != troubled) continue;
            DestinationView view;
            view.route = site->key;
            view.ready = site->ready.size();
            view.connections = site->connections;
            view.delivering = site->connections - site->opening -
                              std::min<std::size_t>(site->idle.size(), site->connections - site->opening);
            view.trouble = site->trouble;
            view.next_try = site->next_try;
            out.push_back(std::move(view));
        }
    for (const auto& [route, due] : queue_.waiting()) {
        if (out.size() == limit) break;
        if (sites_.contains(route)) continue;
        DestinationView view;
        view.route = route;
        view.next_try = due;
        out.push_back(std::move(view));
    }
    return out;
}

}  // namespace postern::relay
