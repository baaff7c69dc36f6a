// What the queue tells senders, and the roll call: all that waits is gone through, over and over, so that
// whoever has no place in line, whose time is over or whose sender should know is found.
#include <algorithm>

#include "relay/limits.h"
#include "relay/queue/queue.h"
#include "relay/queue/schedule.h"
#include "sync/base/time_text.h"
#include "sync/base/utf8.h"

namespace postern::relay {

namespace {

constexpr std::size_t part_max = 200;           // ids read at once
constexpr std::chrono::seconds on_its_way{60};  // from its commit to the queue, at the very most
constexpr std::chrono::hours usual_delay{4};    // before a sender who asked to be told of delays is told
constexpr std::chrono::milliseconds slice{2};   // of work, before others have their turn
constexpr std::chrono::milliseconds first_pause{20}, pause{100};  // between slices: after a start, and later

/// By recipient: whether it is in a leg.
std::vector<bool> taken(const Queued& message) {
    std::vector<bool> out(message.progress.size());
    for (const auto& [route, leg] : message.legs)
        for (auto at : leg.recipients) out[at] = true;
    return out;
}

}  // namespace

// ---- reports

namespace {

/// A report whose reader, with a name beyond ASCII, could not be named to the primary: his postmaster is told
/// instead, by a report that can always be said.
bool wants_postmaster(const Envelope& envelope, std::size_t recipient, const RecipientProgress& progress) {
    const EnhancedStatus& status = progress.reply.status;
    return envelope.bounce && !base::is_ascii(envelope.forward_paths[recipient].mailbox()) &&
           progress.reply.code == 0 && status.category == 5 && status.subject == 6;
}

}  // namespace

/// Collects what the sender has not been told yet, and makes a report of it that goes out with the change.
void Queue::report(Queued& message, Unwritten& what) {
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
            if (mail.envelope.options_of(at).notify.wants_failure() ||
                wants_postmaster(mail.envelope, at, one))
                notices.push_back(Notice{recipient, Notice::Kind::failed});
        } else if (one.status == RecipientStatus::delivered && one.relayed) {
            ++relayed;
            notices.push_back(Notice{recipient, Notice::Kind::relayed});
        } else {
            continue;
        }
        one.reported = true;
    }
    if (!notices.empty()) what.bounce = deliverer_.report(*message.stored, progress, notices);
    if (failed.empty() && relayed == 0) return;
    std::string id = mail.id.text(), from = mail.envelope.reverse_path.text(),
                report = what.bounce ? what.bounce->message.id.text() : std::string();
    for (auto at : failed) {
        const RecipientProgress& one = progress[at];
        bool told =
            mail.envelope.options_of(at).notify.wants_failure() || wants_postmaster(mail.envelope, at, one);
        const std::string to = mail.envelope.forward_paths[at].text();
        const RouteKey key = way(message, at);
        const std::string route = key.text();
        observer_.on(event::Bounced{id, from, to, route, one.host, one.stage, one.reason, one.reply,
                                    told ? std::string_view(report) : std::string_view(), one.egress,
                                    to_screening(mail.envelope, key)});
    }
    if (relayed > 0 && what.bounce) observer_.on(event::Reported{id, from, report, "relayed", relayed});
}

// ---- the roll call

bool Queue::wants_delay(const Message& mail, const RecipientProgress& one, std::size_t recipient) const {
    const Notify& notify = mail.envelope.options_of(recipient).notify;
    bool wanted =
        settings_->queue.delay_notice.count() > 0 ? notify.wants_delay() : notify.given && notify.delay;
    return wanted && one.pending() && !one.delay_reported && one.route != RouteKey::held() &&
           !mail.envelope.reverse_path.null();
}

Time Queue::delay_due(const Message& mail) const {
    auto after = settings_->queue.delay_notice;
    return mail.arrived + (after.count() > 0 ? after : std::chrono::seconds(usual_delay));
}

/// Whether it was tried, or its destination was, at that time of the wall clock or later.
bool Queue::tried_since(const RecipientProgress& one, Time moment) const {
    auto probed = probed_.find(one.route);
    return one.tried >= moment || (probed != probed_.end() && probed->second >= moment);
}

/// Age alone gives nothing up: who was off for a week tries what waited once more.
bool Queue::given_up(const Message& mail, const RecipientProgress& one) const {
    Time end = expiry(settings_->queue, mail);
    return !one.route.empty() && one.route != RouteKey::held() && clock_.wall() >= end &&
           tried_since(one, end);
}

/// Whether the spool would not find it where its progress says that it waits.
bool Queue::astray(const RecipientProgress& one, const Stored& stored) const {
    // What is new is on its way here, or the recovery after a start comes to it.
    if (one.route.empty()) return !recovery_ && clock_.wall() - stored.message.arrived > on_its_way;
    return !spool_.waits(WaitKey{one.route, one.next}, stored.message.id);
}

/// Whether nothing is to be done about a message. `memory` is null for one that is in the spool only.
bool Queue::in_place(const Stored& stored, const Progress& progress, const Queued* memory, Time now) {
    const Message& mail = stored.message;
    std::vector<bool> in_hand = memory != nullptr ? taken(*memory) : std::vector<bool>();
    bool idle = memory == nullptr || memory->legs.empty();
    bool told = clock_.wall() < delay_due(mail);
    bool out = true, lost = false;
    const WaitKey* last = nullptr;
    WaitKey found;
    for (std::size_t at = 0; at < progress.size(); ++at) {
        const RecipientProgress& one = progress[at];
        if (!one.pending() || (memory != nullptr && in_hand[at])) continue;
        if (one.order != Order::none || given_up(mail, one)) out = false;
        if (!told && idle && wants_delay(mail, one, at) && tried_since(one, delay_due(mail))) out = false;
        if (one.route != RouteKey::held() && of_another_clock(settings_->queue, one.next, now)) out = false;
        // Many recipients of one message share a place.
        if (last != nullptr && last->route == one.route && last->due == one.next) continue;
        if (astray(one, stored)) {
            lost = true;
        } else if (!one.route.empty()) {
            found = WaitKey{one.route, one.next};
            last = &found;
        }
    }
    if (lost && roll_.astray++ == 0) roll_.example = mail.id.text();
    return out && !lost;
}

void Queue::put_in_place(const QueuedPtr& message, Time now) {
    std::vector<bool> in_hand = taken(*message);
    const Message& mail = message->stored->message;
    Unwritten what;
    bool any = false, given = false;
    for (std::size_t at = 0; at < message->progress.size(); ++at) {
        RecipientProgress& one = message->progress[at];
        if (!one.pending() || in_hand[at]) continue;
        if (given_up(mail, one)) {
            any = given = true;
            one.status = RecipientStatus::failed;
            one.reason = "given up after " + base::span_in_words(settings_->queue.expire) +
                         (one.reason.empty() ? std::string() : ": " + one.reason);
            continue;
        }
        bool foreign = one.route != RouteKey::held() && of_another_clock(settings_->queue, one.next, now);
        bool lost = !one.route.empty() && astray(one, *message->stored);
        if (!foreign && !lost) continue;
        any = true;
        if (foreign)
            file(*message, at, one.route, now, what);
        else
            what.filed.push_back(WaitKey{one.route, one.next});
    }
    if (!given && message->legs.empty() && announce_delay(*message, what)) any = true;
    if (any) record(message, {}, std::move(what), Write::at_once);
}

/// Tells the sender once, when a message has been here for so long and was tried since.
bool Queue::announce_delay(Queued& message, Unwritten& what) {
    const Message& mail = message.stored->message;
    if (clock_.wall() < delay_due(mail)) return false;
    std::vector<Notice> notices;
    for (std::size_t at = 0; at < message.progress.size(); ++at)
        if (wants_delay(mail, message.progress[at], at) && tried_since(message.progress[at], delay_due(mail)))
            notices.push_back(Notice{static_cast<std::uint16_t>(at), Notice::Kind::delayed});
    if (notices.empty()) return false;
    what.bounce = deliverer_.report(*message.stored, message.progress, notices);
    for (const auto& notice : notices) message.progress[notice.recipient].delay_reported = true;
    if (!what.bounce) return true;
    std::string id = mail.id.text(), from = mail.envelope.reverse_path.text(),
                report = what.bounce->message.id.text();
    observer_.on(event::Reported{id, from, report, "delayed", notices.size()});
    return true;
}

void Queue::call(MessageId id, Time now) {
    if (auto found = messages_.find(id.value); found != messages_.end()) {
        QueuedPtr message = found->second;
        if (message->removed || message->uncommitted > 0 || message->put_off) return;
        if (!in_place(*message->stored, message->progress, message.get(), now)) put_in_place(message, now);
        return forget(message);
    }
    auto loaded = spool_.load(id);
    if (!loaded || (loaded->stored && in_place(*loaded->stored, loaded->progress, nullptr, now))) return;
    QueuedPtr message = fetch(id);
    if (!message || message->removed) return;
    if (message->uncommitted == 0) put_in_place(message, now);
    forget(message);
}

void Queue::call_roll(Time now) {
    auto begun = clock_.now();
    for (bool more = true; more;) {
        const auto ids = spool_.messages(roll_.after, part_max);
        more = ids.size() == part_max;
        for (MessageId id : ids) {
            if (messages_.size() > limits::crowded_messages || clock_.now() - begun > slice) {
                roll_.next = now + (roll_.first ? first_pause : pause);
                return;
            }
            roll_.after = id;
            call(id, now);
        }
    }
    if (roll_.astray > 0)
        observer_.on(event::Trouble{
            event::Area::queue,
            std::to_string(roll_.astray) + (roll_.astray == 1 ? " message was" : " messages were") +
                " in the queue without a place in line (" + roll_.example + "): filed anew",
            false});
    std::erase_if(probed_, [this](const auto& one) { return !waiting_.contains(one.first); });
    auto span =
        std::min<std::chrono::seconds>(settings_->queue.expire, settings_->queue.delay_notice.count() > 0
                                                                    ? settings_->queue.delay_notice
                                                                    : std::chrono::seconds(usual_delay));
    roll_ = Roll{{}, {}, recovery_.has_value(), 0, {}};
    roll_.next =
        now + std::clamp<std::chrono::seconds>(span / 4, std::chrono::seconds(1), std::chrono::seconds(60));
}

}  // namespace postern::relay
