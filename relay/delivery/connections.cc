#include "relay/delivery/connections.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include "relay/net/addresses.h"
#include "sync/base/ensure.h"

namespace postern::relay {

namespace {

constexpr std::size_t called_at_once = 50;      // of those who wait for a connection
constexpr std::chrono::seconds dot_grace{150};  // at a stop, for a message that is sent and not answered
constexpr std::chrono::seconds cut_off{1};      // for those that were, to hear of it

}  // namespace

// ---- what one takes

ConnectionSlot::ConnectionSlot(SitePtr site, SourceQueue& queue, TrafficPtr traffic)
    : site_(std::move(site)), queue_(queue), traffic_(std::move(traffic)) {
    if (site_->connections() == 0) ++traffic_->sites;
    ++queue_.connections_;
    ++traffic_->connections;
    reopen();
}

ConnectionSlot::~ConnectionSlot() {
    end_opening();
    ENSURE(queue_.connections_ > 0 && traffic_->connections > 0, "a slot is counted until it goes");
    --queue_.connections_;
    --traffic_->connections;
    if (site_->connections() > 0) return;
    ENSURE(traffic_->sites > 0, "a site with a connection is counted");
    --traffic_->sites;
}

void ConnectionSlot::reopen() {
    if (std::exchange(opening_, true)) return;
    ++queue_.opening_;
    ENSURE(queue_.opening_ <= queue_.connections_, "what opens is one of the connections");
}

void ConnectionSlot::end_opening() {
    if (!std::exchange(opening_, false)) return;
    ENSURE(queue_.opening_ > 0, "a slot that opens is counted as such");
    --queue_.opening_;
}

Sending::Sending(Traffic& traffic, const Job& job)
    : pass_(traffic.transactions.enter()), message_(job.message), recipients_(job.recipients) {
    message_->sending.resize(message_->stored->message.envelope.forward_paths.size());
    mark(true);
}

Sending::~Sending() { mark(false); }

void Sending::mark(bool going_on) {
    for (auto at : recipients_) message_->sending[at] = going_on;
}

Known::Known(TrafficPtr traffic, Client& client)
    : traffic_(std::move(traffic)), place_(traffic_->clients.insert(traffic_->clients.end(), &client)) {}

Known::~Known() { traffic_->clients.erase(place_); }

// ---- who may have one

void Connections::reload() {
    const DeliverySettings& delivery = env_.settings->delivery;
    newcomers_.limit(delivery.connections, delivery.per_destination);
}

bool Connections::wait(const SitePtr& site, Line& line) {
    if (!std::exchange(site->standing.waits, true)) line.push_back(site);
    return false;
}

SitePtr Connections::take(Line& line) {
    SitePtr out = std::move(line.front());
    line.pop_front();
    out->standing.waits = false;
    return out;
}

bool Connections::grant(const SitePtr& site) {
    if (traffic_->connections >= env_.settings->delivery.connections) {
        auto other = std::find_if(idle_.begin(), idle_.end(),
                                  [](const IdleConnection* one) { return !one->dismissed; });
        if (other != idle_.end()) {
            (*other)->dismissed = true;
            (*other)->timer.cancel();
        }
        return wait(site, waiting_for_any_);
    }
    if (!site->doubtful()) return true;
    Standing& standing = site->standing;
    if (standing.newcomers == 0 && !site->hosts().targets.empty()) {
        auto address = site->hosts().targets.front().endpoint.address();
        standing.where = {address.to_string(), network_of(address)};
    }
    if (!newcomers_.room(standing.where)) return wait(site, waiting_as_newcomer_);
    newcomers_.begin(standing.where);
    ++standing.newcomers;
    return true;
}

void Connections::closed(Site& site) {
    if (leaving_ > 0) --leaving_;
    if (site.standing.newcomers <= site.connections()) return;
    --site.standing.newcomers;
    newcomers_.end(site.standing.where);
}

void Connections::call_next(const std::function<void(const SitePtr&)>& ask) {
    auto room = [this] { return traffic_->connections < env_.settings->delivery.connections; };
    while (!waiting_for_any_.empty() && room()) ask(take(waiting_for_any_));
    // Those of a network that has its part stay in line.
    for (std::size_t left = std::min(waiting_as_newcomer_.size(), called_at_once); left > 0 && room(); --left)
        ask(take(waiting_as_newcomer_));
}

bool Connections::gives_way(const Site& site) {
    const std::size_t waiting = waiting_for_any_.size();
    if (waiting <= leaving_) return false;
    bool more_than_its_share =
        site.connections() * (traffic_->sites + waiting) > env_.settings->delivery.connections;
    if (!more_than_its_share) return false;
    ++leaving_;
    return true;
}

void Connections::well(Site& site, bool doubted) {
    if (doubted) newcomers_.good(site.standing.where);
    if (site.standing.newcomers > 0)
        newcomers_.end(site.standing.where, std::exchange(site.standing.newcomers, 0));
}

bool Connections::crowded(const Site& site) const {
    return site.doubtful() && (newcomers_.crowded() || !newcomers_.room(site.standing.where));
}

// ---- without work, and at the end

net::awaitable<bool> Connections::rest(SourceQueue& queue) {
    IdleConnection resting{net::Timer(env_.io, env_.clock)};
    resting.timer.expires_after(env_.settings->delivery.idle);
    auto place = queue.idle.insert(queue.idle.end(), &resting);
    auto among_all = idle_.insert(idle_.end(), &resting);
    co_await resting.timer.async_wait(net::as_value);
    idle_.erase(among_all);
    if (resting.woken) co_return !env_.stopping;  // and off the list of its queue
    queue.idle.erase(place);
    co_return false;
}

net::awaitable<void> Connections::finish(std::chrono::seconds grace) {
    const auto begun = env_.clock.now();
    const auto patience = grace.count() > 0 ? std::max(grace, dot_grace) : grace;
    if (!hurried_ && !co_await traffic_->transactions.empty(begun + grace))
        for (Client* client : traffic_->clients) client->abort_before_dot();
    if (!hurried_) co_await traffic_->transactions.empty(begun + patience);
    for (Client* client : traffic_->clients) client->abort();
    co_await traffic_->transactions.empty(env_.clock.now() + cut_off);
}

void Connections::hurry() {
    hurried_ = true;
    traffic_->transactions.give_up();
}

}  // namespace postern::relay
