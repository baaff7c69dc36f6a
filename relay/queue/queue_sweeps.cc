// What the queue tells senders, and what it finds by going through the mail that waits for long.
#include <algorithm>
#include <utility>

#include "relay/queue/queue.h"
#include "relay/queue/schedule.h"

namespace postern::relay {

namespace {

constexpr std::size_t part_max = 500;         // messages looked at between two other things
constexpr std::size_t sweep_max = 2'000;      // messages given up at once
constexpr std::chrono::hours usual_delay{4};  // before a sender who asked to be told of delays is told

}  // namespace

// ---- reports

/// Collects what the sender has not been told yet, and makes a report of it that goes out with the change.
void Queue::report(Queued& message, Change& change) {
    Progress& progress = message.progress;
    const Message& mail = message.stored->message;
    std::vector<Notice> notices;
    std::vector<std::uint16_t> failed;
    std::size_t relayed = 0;
    for (std::size_t at = 0; at < progress.size(); ++at) {
        RecipientProgress& one = progress[at];
        auto recipient = static_cast<std::uint16_t>(at);
        if (one.reported) continue;
        if (one.status == RecipientStatus::failed) {
            failed.push_back(recipient);
            if (mail.envelope.options_of(at).notify.wants_failure())
                notices.push_back(Notice{recipient, Notice::Kind::failed});
        } else if (one.status == RecipientStatus::delivered && one.relayed) {
            ++relayed;
            notices.push_back(Notice{recipient, Notice::Kind::relayed});
        } else {
            continue;
        }
        one.reported = true;
    }
    if (!notices.empty()) change.bounce = hooks_.report(*message.stored, progress, notices);
    if (failed.empty() && relayed == 0) return;
    std::string id = mail.id.text(), from = mail.envelope.reverse_path.text(),
                report = change.bounce ? change.bounce->message.id.text() : std::string();
    for (auto at : failed) {
        const RecipientProgress& one = progress[at];
        bool told = mail.envelope.options_of(at).notify.wants_failure();
        std::string to = mail.envelope.forward_paths[at].text(), route = way(message, at);
        observer_.on(event::Bounced{id, from, to, route, one.host, one.stage, one.reason, one.reply,
                                    told ? std::string_view(report) : std::string_view(), one.egress});
    }
    if (relayed > 0 && change.bounce) observer_.on(event::Reported{id, from, report, "relayed", relayed});
}

/// Whether the sender was told; false when the message is in hand and has to be looked at again.
bool Queue::announce_delay(const QueuedPtr& message, Time now) {
    if (!message->legs.empty() || message->uncommitted > 0 || message->fresh) return false;
    bool untried =
        std::any_of(message->progress.begin(), message->progress.end(),
                    [](const RecipientProgress& one) { return one.pending() && one.route.empty(); });
    if (untried) {  // the recovery after a start is still to come to it
        forget(message);
        return false;
    }
    const Message& mail = message->stored->message;
    auto after = settings_->queue.delay_notice;
    std::vector<Notice> notices;
    for (std::size_t at = 0; at < message->progress.size(); ++at) {
        const RecipientProgress& one = message->progress[at];
        const Notify& notify = mail.envelope.options_of(at).notify;
        bool wanted = after.count() > 0 ? notify.wants_delay() : notify.given && notify.delay;
        if (wanted && one.pending() && !one.delay_reported && one.route != held_route)
            notices.push_back(Notice{static_cast<std::uint16_t>(at), Notice::Kind::delayed});
    }
    if (notices.empty() || mail.envelope.reverse_path.null() ||
        now >= expiry(settings_->queue, mail.id.arrived())) {
        forget(message);
        return true;
    }
    Change change;
    change.bounce = hooks_.report(*message->stored, message->progress, notices);
    for (const auto& notice : notices) message->progress[notice.recipient].delay_reported = true;
    if (change.bounce) {
        std::string id = mail.id.text(), from = mail.envelope.reverse_path.text(),
                    report = change.bounce->message.id.text();
        observer_.on(event::Reported{id, from, report, "delayed", notices.size()});
    }
    record(message, {}, std::move(change));
    return true;
}

/// Each message is looked at once, when it has been here for so long that its sender should know.
void Queue::announce_delays(Time now) {
    auto after = settings_->queue.delay_notice.count() > 0 ? settings_->queue.delay_notice
                                                           : std::chrono::seconds(usual_delay);
    next_delays_ =
        now + std::clamp<std::chrono::seconds>(after / 4, std::chrono::seconds(1), std::chrono::seconds(60));
    for (const auto& [id, volume] : std::exchange(look_again_, {})) {
        QueuedPtr message = fetch(id, volume);
        if (message && !message->removed && !announce_delay(message, now)) look_again_.emplace(id, volume);
    }
    MessageId cutoff = MessageId::first_at(now - after);
    auto volumes = spool_.volumes();
    std::erase_if(looked_through_, [&](const auto& one) {
        return std::find(volumes.begin(), volumes.end(), one.first) == volumes.end();
    });
    std::size_t looked_at = 0;
    for (std::uint32_t volume : volumes)
        for (MessageId& last = looked_through_[volume];;) {
            auto ids = spool_.messages(volume, last, part_max);
            for (MessageId id : ids) {
                if (id >= cutoff) break;
                last = id;
                QueuedPtr message = fetch(id, volume);
                if (message && !message->removed && !announce_delay(message, now))
                    look_again_.emplace(id, volume);
            }
            looked_at += ids.size();
            if (ids.size() < part_max || ids.back() >= cutoff) break;
            if (looked_at < sweep_max) continue;
            next_delays_ = now + std::chrono::milliseconds(200);
            return;
        }
}

// ---- what is too old

void Queue::give_up_old(Time now) {
    auto expire = settings_->queue.expire;
    next_sweep_ =
        now + std::clamp<std::chrono::seconds>(expire / 4, std::chrono::seconds(1), std::chrono::seconds(60));
    MessageId cutoff = MessageId::first_at(now - expire);
    std::size_t given_up = 0;
    for (std::uint32_t volume : spool_.volumes())
        for (MessageId after{};;) {
            auto ids = spool_.messages(volume, after, part_max);
            for (MessageId id : ids) {
                if (id >= cutoff) break;
                if (given_up == sweep_max) {
                    next_sweep_ = now + std::chrono::milliseconds(200);
                    return;
                }
                QueuedPtr message = fetch(id, volume);
                if (!message || message->removed || message->fresh || !message->legs.empty() ||
                    message->uncommitted > 0)
                    continue;
                if (give_up(message))
                    ++given_up;
                else
                    forget(message);
            }
            if (ids.size() < part_max || ids.back() >= cutoff) break;
            after = ids.back();
        }
}

/// False when all that is left of it is held.
bool Queue::give_up(const QueuedPtr& message) {
    Change change;
    bool any = false;
    for (auto& one : message->progress) {
        if (!one.pending() || one.route == held_route) continue;
        any = true;
        WaitKey key{one.route, one.next};
        if (!one.route.empty() &&
            std::find(change.unwait.begin(), change.unwait.end(), key) == change.unwait.end())
            change.unwait.push_back(key);
        one.status = RecipientStatus::failed;
        one.reason = "given up after " + span_in_words(settings_->queue.expire) +
                     (one.reason.empty() ? std::string() : ": " + one.reason);
    }
    if (any) record(message, {}, std::move(change));
    return any;
}

}  // namespace postern::relay
