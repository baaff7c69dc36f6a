// What an operator asks of the queue: to look into it, to hurry, to forget.
#include <algorithm>
#include <utility>

#include "relay/mail/stage.h"
#include "relay/queue/queue.h"
#include "relay/queue/schedule.h"
#include "relay/queue/view.h"

namespace postern::relay {

namespace {

/// By recipient: whether it is worked on.
std::vector<bool> worked_on(const Queued& message) {
    std::vector<bool> out(message.progress.size());
    for (const auto& [route, leg] : message.legs)
        if (!leg.ended)
            for (auto at : leg.recipients) out[at] = true;
    return out;
}

/// "a@one.example, b@two.example, ...": the first few that still wait.
std::string some_pending(const Envelope& envelope, const Progress& progress) {
    constexpr std::size_t most = 5;
    std::string out;
    std::size_t named = 0;
    for (std::size_t at = 0; at < progress.size(); ++at) {
        if (!progress[at].pending()) continue;
        if (++named > most) return out + ", ...";
        out += (out.empty() ? "" : ", ") + envelope.forward_paths[at].text();
    }
    return out;
}

}  // namespace

/// nullptr: it is gone, or goes.
QueuedPtr Queue::kept(MessageId id) {
    QueuedPtr message = spool_.contains(id) ? fetch(id) : nullptr;
    return message && !message->removed ? message : nullptr;
}

/// Files a recipient that is not in hand under a route and time instead of where it waits.
void Queue::file(Queued& message, std::size_t recipient, const RouteKey& route, Time due, Unwritten& what) {
    message.wait_at(recipient, route);
    message.progress[recipient].next = due;
    what.filed.push_back(WaitKey{route, due});
}

/// Does `each` with every pending recipient that is not in hand; what is in hand gets the order, on the disk
/// too.
template <typename Each>
Applied Queue::operate(const std::vector<MessageId>& ids, Order order, const std::string& reason, Each each) {
    must_not_be_offering();
    Applied out;
    for (MessageId id : ids) {
        QueuedPtr message = kept(id);
        if (!message) continue;
        Unwritten what;
        bool any = false, ordered = false, delivering = false;
        std::vector<bool> in_hand = worked_on(*message);
        for (std::size_t at = 0; at < message->progress.size(); ++at) {
            RecipientProgress& one = message->progress[at];
            if (!one.pending()) continue;
            if (!in_hand[at]) {
                any = each(*message, at, what) || any;
                continue;
            }
            any = any || order != Order::none || one.order == Order::hold;
            delivering = delivering || (at < message->sending.size() && message->sending[at]);
            one.order = order;
            one.order_reason = order == Order::none ? std::string() : reason;
            ordered = ordered || order != Order::none;
        }
        if (std::find(in_hand.begin(), in_hand.end(), true) != in_hand.end()) message->ordered = ordered;
        if (!any) {
            forget(message);
            continue;
        }
        ++out.messages;
        if (delivering) ++out.delivering;
        record(message, {}, std::move(what), Write::at_once);
        if (order != Order::hold && order != Order::none) continue;
        const Message& mail = message->stored->message;
        std::string text = id.text(), from = mail.envelope.reverse_path.text(),
                    to = some_pending(mail.envelope, message->progress);
        observer_.on(event::Held{text, from, to, message->progress.size(), order == Order::none});
    }
    return out;
}

Applied Queue::hold(const std::vector<MessageId>& ids) {
    return operate(ids, Order::hold, {}, [this](Queued& message, std::size_t at, Unwritten& what) {
        if (message.progress[at].route == RouteKey::held()) return false;
        file(message, at, RouteKey::held(), held_until(), what);
        return true;
    });
}

Applied Queue::release(const std::vector<MessageId>& ids) {
    return operate(ids, Order::none, {}, [this](Queued& message, std::size_t at, Unwritten& what) {
        if (message.progress[at].route != RouteKey::held()) return false;
        file(message, at, way(message, at), now_exact(clock_), what);
        return true;
    });
}

Applied Queue::bounce(const std::vector<MessageId>& ids, const std::string& reason) {
    return operate(ids, Order::bounce, reason, [this, &reason](Queued& message, std::size_t at, Unwritten&) {
        RecipientProgress& one = message.progress[at];
        one.order = Order::bounce;
        one.order_reason = reason;
        obey(message, static_cast<std::uint16_t>(at));
        return true;
    });
}

Applied Queue::move(const std::vector<MessageId>& ids, const RouteKey& route) {
    Time now = now_exact(clock_);
    return operate(ids, Order::move, route.text(), [&](Queued& message, std::size_t at, Unwritten& what) {
        RecipientProgress& one = message.progress[at];
        one.pinned = route;
        if (one.route != RouteKey::held()) file(message, at, way(message, at), now, what);
        return true;
    });
}

/// Does what an operator wanted of a recipient that is in hand no more.
void Queue::obey(Queued& message, std::uint16_t recipient) {
    RecipientProgress& one = message.progress[recipient];
    switch (std::exchange(one.order, Order::none)) {
        case Order::none: return;
        case Order::hold:
            message.wait_at(recipient, RouteKey::held());
            one.next = held_until();
            break;
        case Order::bounce:
            one.status = RecipientStatus::failed;
            one.reply = Reply();
            one.stage = text_of(Stage::by_operator);
            one.host.clear();
            one.reason = one.order_reason;
            break;
        case Order::move:
            one.pinned = RouteKey::of(one.order_reason);
            one.next = now_exact(clock_);
            break;
    }
    one.order_reason.clear();
}

/// Of a message just read: the process ended before it came to this.
void Queue::obey_all(const QueuedPtr& message) {
    Unwritten what;
    bool any = false;
    for (std::size_t at = 0; at < message->progress.size(); ++at) {
        RecipientProgress& one = message->progress[at];
        if (!one.pending() || one.order == Order::none) continue;
        any = true;
        obey(*message, static_cast<std::uint16_t>(at));
        if (!one.pending()) continue;
        if (one.route != RouteKey::held()) {
            message->wait_at(at, way(*message, at));
            one.next = now_exact(clock_);
        }
        what.filed.push_back(WaitKey{one.route, one.next});
    }
    if (!any) return;
    // It is not new any more only when nothing of it is untried.
    message->fresh =
        std::none_of(message->progress.begin(), message->progress.end(),
                     [](const RecipientProgress& one) { return one.pending() && one.route.empty(); });
    record(message, {}, std::move(what), Write::at_once);
}

Applied Queue::retry(const std::vector<MessageId>& ids, bool restrained) {
    Time now = now_exact(clock_);
    Applied out;
    for (MessageId id : ids) {
        QueuedPtr message = kept(id);
        if (!message) continue;
        Unwritten what;
        bool held = false, tried = false;
        std::vector<bool> in_hand = worked_on(*message);
        for (std::size_t at = 0; at < message->progress.size(); ++at) {
            const RecipientProgress& one = message->progress[at];
            if (!one.pending()) continue;
            if (!in_hand[at] && one.route == RouteKey::held()) {
                held = true;
                continue;
            }
            if (!restrained && !in_hand[at] && one.next > now && waits_restrained(*message, one)) continue;
            tried = true;
            if (in_hand[at] || one.route.empty()) continue;
            if (one.next > now || astray(one, *message->stored))
                file(*message, at, one.route, now, what);
            else
                wake(one.route, one.next);
            if (auto waits = waiting_.find(one.route); waits != waiting_.end()) put_on_agenda(waits, now);
        }
        if (tried)
            ++out.messages;
        else if (held)
            ++out.held;
        if (!what.filed.empty())
            record(message, {}, std::move(what), Write::at_once);
        else
            forget(message);
    }
    return out;
}

Applied Queue::remove(const std::vector<MessageId>& ids) {
    Applied out;
    for (MessageId id : ids) {
        QueuedPtr message = kept(id);
        if (!message) continue;
        ++out.messages;
        if (std::find(message->sending.begin(), message->sending.end(), true) != message->sending.end())
            ++out.delivering;
        const Message& mail = message->stored->message;
        Change change;
        change.id = id;
        change.done = true;
        change.file = mail.content.file;
        message->removed = true;
        archive_.gone(id);
        ++message->uncommitted;
        uncommitted_.push_back(Uncommitted{spool_.change(std::move(change)), message, {}, {}});
        std::string text = id.text(), from = mail.envelope.reverse_path.text(),
                    to = some_pending(mail.envelope, message->progress);
        observer_.on(event::Removed{text, from, to, message->progress.size()});
    }
    return out;
}

void Queue::overlay(std::vector<MessageView>& views) const {
    lay_memory_over(views);
    for (auto& view : views)
        for (auto& one : view.recipients) {
            // A message whose time has come waits on as long as its destination is down.
            if (one.state != RecipientState::waiting) continue;
            const RouteKey route = RouteKey::of(one.route);
            std::string trouble = deliverer_.trouble(route);
            if (trouble.empty()) continue;
            one.next = std::max(one.next, clock_.on_the_wall(deliverer_.next_try(route)));
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
        view = view_of(message.stored->message, message.progress, *settings_, clock_,
                       [&](const Address& recipient) { return deliverer_.route(envelope, recipient); });
        for (const auto& [route, leg] : message.legs) {
            if (leg.ended) continue;
            for (auto at : leg.recipients) {
                if (!message.progress[at].pending()) continue;
                bool sending = at < message.sending.size() && message.sending[at];
                view.recipients[at].state = sending ? RecipientState::delivering : RecipientState::ready;
                view.recipients[at].route = route.text();
            }
        }
        // What is over is only waiting to be written down.
        return std::all_of(message.progress.begin(), message.progress.end(),
                           [](const RecipientProgress& one) { return one.resolved(); });
    });
}

}  // namespace postern::relay
