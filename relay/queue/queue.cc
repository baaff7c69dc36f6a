// What is in memory: from the spool or straight from its acceptance to the jobs that delivery takes.
#include "relay/queue/queue.h"

#include <algorithm>
#include <memory>
#include <utility>

#include "relay/limits.h"
#include "relay/mail/stage.h"
#include "relay/queue/schedule.h"
#include "sync/base/ensure.h"

namespace postern::relay {

namespace {

constexpr std::size_t little = 50;             // messages of a route, when it is crowded
constexpr std::size_t legs_at_once = 8;        // of one message
constexpr std::chrono::milliseconds slice{2};  // of work, before others have their turn
constexpr unsigned passes = 4;  // messages from the spool, before a new one goes past what waits there

}  // namespace

void Queued::wait_at(std::size_t recipient, const RouteKey& route) {
    RouteKey& former = progress[recipient].route;
    if (former == route) return;
    former = route;
    if (waiting_) (*waiting_)[route].push_back(static_cast<std::uint16_t>(recipient));
}

std::vector<std::uint16_t> Queued::waiting_at(const RouteKey& route) {
    if (!waiting_) {
        waiting_.emplace();
        for (std::size_t at = 0; at < progress.size(); ++at)
            if (progress[at].pending())
                (*waiting_)[progress[at].route].push_back(static_cast<std::uint16_t>(at));
    }
    auto found = waiting_->find(route);
    if (found == waiting_->end()) return {};
    auto& here = found->second;
    std::sort(here.begin(), here.end());
    here.erase(std::unique(here.begin(), here.end()), here.end());
    std::erase_if(here,
                  [&](std::uint16_t at) { return !progress[at].pending() || progress[at].route != route; });
    return here;
}

Queue::Queue(const base::Clock& clock, Spool& spool, SettingsPtr settings, Observer& observer,
             Deliverer& deliverer, std::uint32_t seed)
    : clock_(clock),
      spool_(spool),
      settings_(std::move(settings)),
      observer_(observer),
      deliverer_(deliverer),
      archive_(observer),
      random_(seed) {
    for (auto& key : spool_.routes()) wake(key.route, key.due);
    recovery_ = Recovery{{}, spool_.new_id()};
}

// ---- messages

/// The message, read from the spool if need be. What of it has no place in line yet is taken up at once, and
/// what an operator wanted of it before the last stop is done: whoever gets it finds it whole.
QueuedPtr Queue::fetch(MessageId id) {
    if (auto found = messages_.find(id.value); found != messages_.end()) return found->second;
    auto loaded = spool_.load(id);
    if (!loaded) return nullptr;
    auto message = std::make_shared<Queued>();
    message->stored = loaded->stored ? loaded->stored : std::make_shared<Stored>(Stored{Message{id, {}, {}}});
    message->progress = std::move(loaded->progress);
    messages_.emplace(id.value, message);
    if (!loaded->stored) {
        Change change;
        change.damage = "its record cannot be read";
        set_aside(message, std::move(change));
        return message;
    }
    obey_all(message);
    message->fresh =
        std::any_of(message->progress.begin(), message->progress.end(),
                    [](const RecipientProgress& one) { return one.pending() && one.route.empty(); });
    if (message->fresh) take_up(message);
    return message;
}

bool Queue::busy(MessageId id, const RouteKey& route) const {
    auto found = messages_.find(id.value);
    return found != messages_.end() && (found->second->removed || found->second->legs.contains(route));
}

void Queue::forget(const QueuedPtr& message) {
    if (!message->legs.empty() || message->uncommitted > 0 || message->put_off) return;
    // It may have been read anew since it was forgotten.
    auto known = messages_.find(message->stored->message.id.value);
    if (known == messages_.end() || known->second != message) return;
    if (message->stored->message.content.bytes) held_bytes_ -= message->stored->message.content.size;
    messages_.erase(known);
}

void Queue::admit(StoredPtr stored) {
    must_not_be_offering();
    auto message = std::make_shared<Queued>();
    message->stored = std::move(stored);
    // An operator may have found it in the spool and removed it already.
    if (!messages_.emplace(message->stored->message.id.value, message).second) return;
    Content& content = message->stored->message.content;
    if (content.bytes) {
        if (held_bytes_ + content.size > limits::content_in_memory)
            content.bytes.reset();
        else
            held_bytes_ += content.size;
    }
    message->progress.resize(message->stored->message.envelope.forward_paths.size());
    message->fresh = true;
    take_up(message);
}

/// Where a recipient's mail goes by the rules, or by what an operator wants instead.
RouteKey Queue::way(const Queued& message, std::size_t recipient) const {
    const RouteKey& pinned = message.progress[recipient].pinned;
    if (!pinned.empty() && deliverer_.exists(pinned)) return pinned;
    const Envelope& envelope = message.stored->message.envelope;
    return deliverer_.route(envelope, envelope.forward_paths[recipient]);
}

// ---- legs

Queued::Leg& Queue::add_leg(Queued& message, const RouteKey& route) {
    auto [at, added] = message.legs.try_emplace(route);
    if (added) {
        ++message.open_legs;
        ++in_hand_[route];
    }
    return at->second;
}

void Queue::drop_leg(Queued& message, const RouteKey& route) {
    auto leg = message.legs.find(route);
    if (leg == message.legs.end()) return;
    if (!leg->second.ended) {
        ENSURE(message.open_legs > 0, "a leg that has not ended is counted");
        --message.open_legs;
    }
    message.legs.erase(leg);
    const auto count = in_hand_.find(route);
    ENSURE(count != in_hand_.end() && count->second > 0, "each leg is counted by its route");
    if (--count->second == 0) in_hand_.erase(count);
}

std::size_t Queue::in_hand(const RouteKey& route) const {
    auto found = in_hand_.find(route);
    return found == in_hand_.end() ? 0 : found->second;
}

/// Whether it is not to be sent yet, though nobody has tried: its place in line is given then.
bool Queue::restrain(Queued& message, std::size_t recipient, const RouteKey& route, Unwritten& what) {
    const Envelope& envelope = message.stored->message.envelope;
    if (envelope.restrained.empty()) return false;
    if (std::binary_search(envelope.exempt.begin(), envelope.exempt.end(), recipient)) return false;
    const Time until = std::min<Time>(std::chrono::ceil<std::chrono::microseconds>(envelope.not_before),
                                      now_exact(clock_) + restrained_most);
    if (!envelope.held && until <= now_exact(clock_)) return false;
    message.progress[recipient].reason = envelope.restrained;
    if (envelope.held)
        file(message, recipient, RouteKey::held(), held_until(), what);
    else
        file(message, recipient, route, until, what);
    return true;
}

/// Whether it waits for its turn among its sender's mail, and has not been tried.
bool Queue::waits_restrained(const Queued& message, const RecipientProgress& one) {
    return one.attempts == 0 && !message.stored->message.envelope.restrained.empty();
}

/// Those recipients that are filed nowhere.
void Queue::take_up(const QueuedPtr& message) {
    Unwritten what;
    for (std::size_t at = 0; at < message->progress.size(); ++at) {
        if (!message->progress[at].pending() || !message->progress[at].route.empty()) continue;
        const RouteKey route = way(*message, at);
        if (!restrain(*message, at, route, what))
            add_leg(*message, route).recipients.push_back(static_cast<std::uint16_t>(at));
    }
    if (message->legs.empty()) return record(message, {}, std::move(what));
    if (!what.filed.empty()) record(message, {}, std::move(what));
    // A leg that ends at once looks whether others are open: all are known before the first is started.
    std::vector<RouteKey> open;
    for (const auto& [route, leg] : message->legs) open.push_back(route);
    for (std::size_t at = 0; at < open.size(); ++at) {
        if (at < legs_at_once)
            start_leg(message, open[at]);
        else
            starting_.emplace_back(message, std::move(open[at]));
    }
}

/// A message to thousands of destinations is handed out part by part.
void Queue::start_some() {
    auto begun = clock_.now();
    while (!starting_.empty() && clock_.now() - begun < slice) {
        auto [message, route] = std::move(starting_.front());
        starting_.pop_front();
        start_leg(message, route);
    }
}

/// How many more messages of a route may be in memory. When it is crowded there, those of which there is
/// little still find room: destinations that hang must not keep it from the others.
std::size_t Queue::window(const RouteKey& route) const {
    std::size_t all = messages_.size(), own = in_hand(route);
    if (all < limits::crowded_messages) return limits::crowded_messages - all;
    if (all < limits::messages / 8 * 7) return own < little ? little - own : 0;
    return all < limits::messages && own == 0 ? 1 : 0;
}

/// Whether mail for a route may be handed out now; if not, it is filed.
bool Queue::takes(const RouteKey& route, bool filed) {
    if (deliverer_.room(route) == 0) return false;
    if (messages_.size() > limits::crowded_messages && in_hand(route) > little) return false;
    if (messages_.size() > limits::messages && in_hand(route) > 1) return false;
    if (filed) return true;
    // What has waited longer goes first; but for one in a few, so that new mail is not kept from a
    // destination with a large backlog.
    auto waits = waiting_.find(route);
    if (waits == waiting_.end() || waits->second.due > now_exact(clock_)) return true;
    if (waits->second.passes < passes) return false;
    waits->second.passes = 0;
    return true;
}

void Queue::start_leg(const QueuedPtr& message, const RouteKey& route) {
    auto at = message->legs.find(route);
    if (at == message->legs.end() || at->second.ended || at->second.open_jobs > 0) return;
    Queued::Leg& leg = at->second;
    if (message->removed) {
        drop_leg(*message, route);
        return forget(message);
    }
    if (message->ordered) return end_leg(message, route);
    if (!takes(route, leg.filed)) {
        std::string trouble = deliverer_.trouble(route);
        leg.due = now_exact(clock_);
        for (auto recipient : leg.recipients) {
            if (trouble.empty()) break;
            RecipientProgress& one = message->progress[recipient];
            one.reply = Reply();
            one.reason = trouble;
            one.stage = text_of(Stage::destination);
            if (message->fresh) announce_deferral(*message, recipient, route, deliverer_.next_try(route));
        }
        return end_leg(message, route);
    }
    std::size_t size = std::max<std::size_t>(1, settings_->delivery.recipients);
    leg.open_jobs = static_cast<unsigned>((leg.recipients.size() + size - 1) / size);
    offering_ = true;
    const std::unique_ptr<bool, void (*)(bool*)> over(&offering_, [](bool* going_on) { *going_on = false; });
    for (std::size_t from = 0; from < leg.recipients.size(); from += size) {
        std::size_t to = std::min(from + size, leg.recipients.size());
        Job job;
        job.message = message;
        job.route = route;
        job.recipients.assign(leg.recipients.begin() + static_cast<std::ptrdiff_t>(from),
                              leg.recipients.begin() + static_cast<std::ptrdiff_t>(to));
        job.not_first = from > 0;
        deliverer_.offer(std::move(job));
    }
}

void Queue::must_not_be_offering() const {
    ENSURE(!offering_, "the deliverer does not call back while it is offered a job");
}

}  // namespace postern::relay
