// What an operator asks of the queue: to look into it, to hurry, to forget.
#include <algorithm>

#include "relay/queue/queue.h"
#include "relay/queue/schedule.h"
#include "relay/queue/view.h"

namespace postern::relay {

std::size_t Queue::retry(const std::vector<MessageId>& ids) {
    Time now = now_exact();
    std::size_t done = 0;
    for (MessageId id : ids) {
        auto volume = spool_.find(id);
        QueuedPtr message = volume ? fetch(id, *volume) : nullptr;
        if (!message || message->removed) continue;
        ++done;
        Change change;
        auto in_hand = [&message](const std::string& route) {
            return std::any_of(message->legs.begin(), message->legs.end(),
                               [&](const Queued::Leg& leg) { return leg.route == route && leg.change == 0; });
        };
        for (auto& one : message->progress) {
            if (!one.pending() || one.route.empty() || one.next <= now || in_hand(one.route)) continue;
            WaitKey before{one.route, one.next}, after{one.route, now};
            if (std::find(change.unwait.begin(), change.unwait.end(), before) == change.unwait.end())
                change.unwait.push_back(before);
            if (std::find(change.wait.begin(), change.wait.end(), after) == change.wait.end())
                change.wait.push_back(after);
            one.next = now;
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
            if (leg.filed) change.unwait.push_back(WaitKey{leg.route, *leg.filed});
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
