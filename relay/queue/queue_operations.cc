// What an operator asks of the queue: to look into it, to hurry, to forget.
#include <algorithm>

#include "relay/queue/queue.h"
#include "relay/queue/schedule.h"
#include "relay/queue/view.h"

namespace postern::relay {

namespace {

bool in_hand(const Queued& message, const std::string& route) {
    return std::any_of(message.legs.begin(), message.legs.end(),
                       [&](const Queued::Leg& leg) { return leg.route == route && leg.change == 0; });
}

bool in_hand(const Queued& message, std::size_t recipient) {
    return std::any_of(message.legs.begin(), message.legs.end(), [&](const Queued::Leg& leg) {
        return leg.change == 0 &&
               std::find(leg.recipients.begin(), leg.recipients.end(), recipient) != leg.recipients.end();
    });
}

void add(std::vector<WaitKey>& keys, WaitKey key) {
    if (std::find(keys.begin(), keys.end(), key) == keys.end()) keys.push_back(std::move(key));
}

}  // namespace

/// The message for an operation, null when it is gone. One that the recovery after a start has not come to
/// yet is taken up now, as that would have done.
QueuedPtr Queue::take_over(MessageId id) {
    auto volume = spool_.find(id);
    QueuedPtr message = volume ? fetch(id, *volume) : nullptr;
    if (!message || message->removed) return nullptr;
    bool untried =
        message->legs.empty() && !message->fresh && message->uncommitted == 0 &&
        std::any_of(message->progress.begin(), message->progress.end(),
                    [](const RecipientProgress& one) { return one.pending() && one.route.empty(); });
    if (untried) {
        message->fresh = true;
        take_up(message);
    }
    return message;
}

/// Files a recipient that is not in hand under a route and time instead of where it waits.
void Queue::file(Queued& message, std::size_t recipient, const std::string& route, Time due, Change& change) {
    RecipientProgress& one = message.progress[recipient];
    if (!one.route.empty()) add(change.unwait, WaitKey{one.route, one.next});
    one.route = route;
    one.next = due;
    add(change.wait, WaitKey{route, due});
}

/// Does `each` with every pending recipient that is not in hand; what is in hand gets the order.
template <typename Each>
std::size_t Queue::operate(const std::vector<MessageId>& ids, Queued::Order order, const std::string& reason,
                           Each each) {
    std::size_t done = 0;
    for (MessageId id : ids) {
        QueuedPtr message = take_over(id);
        if (!message) continue;
        Change change;
        bool any = false;
        for (std::size_t at = 0; at < message->progress.size(); ++at) {
            if (!message->progress[at].pending()) continue;
            if (in_hand(*message, at)) {
                any = any || order != Queued::Order::none || message->order == Queued::Order::hold;
                message->order = order;
                message->order_reason = reason;
                continue;
            }
            any = each(*message, at, change) || any;
        }
        if (any) ++done;
        // Two recipients may have shared an entry of which one keeps its place.
        for (const auto& one : message->progress)
            if (one.pending() && !one.route.empty()) {
                WaitKey key{one.route, one.next};
                if (std::erase(change.unwait, key) > 0) std::erase(change.wait, key);
            }
        if (!any) {
            forget(message);
            continue;
        }
        record(message, {}, std::move(change));
        if (order != Queued::Order::hold && order != Queued::Order::none) continue;
        const Message& mail = message->stored->message;
        std::string text = id.text(), from = mail.envelope.reverse_path.text();
        observer_.on(event::Held{text, from, message->progress.size(), order == Queued::Order::none});
    }
    return done;
}

std::size_t Queue::hold(const std::vector<MessageId>& ids) {
    return operate(ids, Queued::Order::hold, {}, [this](Queued& message, std::size_t at, Change& change) {
        if (message.progress[at].route == held_route) return false;
        file(message, at, std::string(held_route), held_until(), change);
        return true;
    });
}

std::size_t Queue::release(const std::vector<MessageId>& ids) {
    return operate(ids, Queued::Order::none, {}, [this](Queued& message, std::size_t at, Change& change) {
        if (message.progress[at].route != held_route) return false;
        file(message, at, way(message, at), now_exact(), change);
        return true;
    });
}

std::size_t Queue::bounce(const std::vector<MessageId>& ids, const std::string& reason) {
    return operate(ids, Queued::Order::bounce, reason,
                   [this, &reason](Queued& message, std::size_t at, Change& change) {
                       RecipientProgress& one = message.progress[at];
                       if (!one.route.empty()) add(change.unwait, WaitKey{one.route, one.next});
                       message.order_reason = reason;
                       obey(message, static_cast<std::uint16_t>(at), Queued::Order::bounce);
                       return true;
                   });
}

std::size_t Queue::move(const std::vector<MessageId>& ids, const std::string& route) {
    Time now = now_exact();
    return operate(ids, Queued::Order::move, route, [&](Queued& message, std::size_t at, Change& change) {
        RecipientProgress& one = message.progress[at];
        one.pinned = route;
        if (one.route != held_route) file(message, at, way(message, at), now, change);
        return true;
    });
}

/// Of a recipient that is in hand no more: what an operator wanted meanwhile.
void Queue::obey(Queued& message, std::uint16_t recipient, Queued::Order order) {
    RecipientProgress& one = message.progress[recipient];
    if (!one.pending()) return;
    if (order == Queued::Order::move) {
        one.pinned = message.order_reason;
        one.next = now_exact();
    }
    if (order != Queued::Order::bounce) return;
    one.status = RecipientStatus::failed;
    one.reply = Reply();
    one.stage = "operator";
    one.host.clear();
    one.reason = message.order_reason;
}

std::size_t Queue::retry(const std::vector<MessageId>& ids) {
    Time now = now_exact();
    std::size_t done = 0;
    for (MessageId id : ids) {
        QueuedPtr message = take_over(id);
        if (!message) continue;
        ++done;
        Change change;
        for (std::size_t at = 0; at < message->progress.size(); ++at) {
            const RecipientProgress& one = message->progress[at];
            if (one.pending() && !one.route.empty() && one.route != held_route && one.next > now &&
                !in_hand(*message, one.route))
                file(*message, at, one.route, now, change);
        }
        if (!change.wait.empty())
            record(message, {}, std::move(change));
        else
            forget(message);
    }
    return done;
}

std::size_t Queue::remove(const std::vector<MessageId>& ids) {
    std::size_t done = 0;
    for (MessageId id : ids) {
        auto volume = spool_.find(id);
        QueuedPtr message = volume ? fetch(id, *volume) : nullptr;
        if (!message || message->removed) continue;
        ++done;
        const Message& mail = message->stored->message;
        Change change;
        change.id = id;
        change.volume = message->stored->volume;
        change.done = true;
        change.file = mail.content.file;
        for (const auto& leg : message->legs)
            for (Time filed : leg.filed) change.unwait.push_back(WaitKey{leg.route, filed});
        for (const auto& one : message->progress)
            if (one.pending() && !one.route.empty()) change.unwait.push_back(WaitKey{one.route, one.next});
        message->removed = true;
        ++message->uncommitted;
        uncommitted_.push_back(Uncommitted{spool_.change(std::move(change)), message, {}, {}});
        std::string text = id.text(), from = mail.envelope.reverse_path.text();
        observer_.on(event::Removed{text, from, message->progress.size()});
    }
    return done;
}

void Queue::overlay(std::vector<MessageView>& views) const {
    lay_memory_over(views);
    for (auto& view : views)
        for (auto& one : view.recipients) {
            // A message whose time has come waits on as long as its destination is down.
            if (one.state != "waiting") continue;
            std::string trouble = hooks_.trouble(one.route);
            if (trouble.empty()) continue;
            one.next = std::max(one.next, hooks_.next_try(one.route));
            if (one.why.empty()) one.why = trouble;
        }
}

void Queue::lay_memory_over(std::vector<MessageView>& views) const {
    std::erase_if(views, [this](MessageView& view) {
        auto id = MessageId::parse(view.id);
        auto found = id ? messages_.find(id->value) : messages_.end();
        if (found == messages_.end()) return false;
        const Queued& message = *found->second;
        if (message.removed) return true;
        const Envelope& envelope = message.stored->message.envelope;
        view = view_of(message.stored->message, message.progress, *settings_,
                       [&](const Address& recipient) { return hooks_.route(envelope, recipient); });
        for (const auto& leg : message.legs) {
            if (leg.change != 0) continue;
            for (auto at : leg.recipients) {
                if (!message.progress[at].pending()) continue;
                bool sending = at < message.sending.size() && message.sending[at];
                view.recipients[at].state = sending ? "delivering" : "ready";
                view.recipients[at].route = leg.route;
            }
        }
        // What is over is only waiting to be written down.
        return std::all_of(message.progress.begin(), message.progress.end(),
                           [](const RecipientProgress& one) { return one.resolved(); });
    });
}

}  // namespace postern::relay
