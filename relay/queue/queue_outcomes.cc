// What came of a job, and how that is written down.
#include <algorithm>
#include <utility>

#include "relay/mail/stage.h"
#include "relay/queue/queue.h"
#include "relay/queue/schedule.h"
#include "sync/base/ensure.h"
#include "sync/base/time_text.h"

namespace postern::relay {

namespace {

constexpr std::size_t said_max = 1000;  // octets kept of what a server said
/// A message with more recipients is not written down whole with each of its legs, but every so often.
constexpr std::size_t written_at_once = 100;
constexpr std::chrono::microseconds pause_for_each{50};
constexpr std::chrono::minutes ours_again{1};  // at the latest, after a trouble of ours

Queued::Leg* open_leg(Queued& message, const RouteKey& route) {
    auto at = message.legs.find(route);
    return at == message.legs.end() || at->second.ended ? nullptr : &at->second;
}

}  // namespace

bool Queue::to_screening(const Envelope& envelope, const RouteKey& route) const {
    return envelope.unscreened() && route.is_gateway(settings_->screening.gateway);
}

/// Gives when it is tried again; Time::max() when it is not.
Time Queue::apply(Queued& message, std::uint16_t recipient, const RouteKey& route, Outcome outcome, Time now,
                  double spread) {
    RecipientProgress& one = message.progress[recipient];
    const Message& mail = message.stored->message;
    Time wall = clock_.wall();
    if (outcome.attempted) {
        ++one.attempts;
        one.tried = std::chrono::time_point_cast<std::chrono::microseconds>(wall);
    }
    one.reply = std::move(outcome.reply);
    one.reason = std::move(outcome.reason);
    // Kept for each recipient and written again with each attempt.
    if (one.reply.text.size() > said_max) one.reply.text.resize(said_max);
    if (one.reason.size() > said_max) one.reason.resize(said_max);
    one.host = std::move(outcome.host);
    one.stage = text_of(outcome.stage);
    one.egress = std::move(outcome.egress);
    one.tls = std::move(outcome.tls);
    switch (outcome.result) {
        case Outcome::Result::delivered: {
            one.status = RecipientStatus::delivered;
            one.relayed = outcome.relayed && mail.envelope.options_of(recipient).notify.success;
            std::string id = mail.id.text(), from = mail.envelope.reverse_path.text(),
                        to = mail.envelope.forward_paths[recipient].text(), way = route.text();
            auto age = std::max(wall - mail.arrived, Time::duration::zero());
            observer_.on(event::Delivered{id, from, to, way, one.host, one.tls, one.egress, one.reply,
                                          std::chrono::duration_cast<std::chrono::milliseconds>(age),
                                          outcome.signed_by, to_screening(mail.envelope, route)});
            break;
        }
        case Outcome::Result::failed: one.status = RecipientStatus::failed; break;
        case Outcome::Result::deferred: {
            Time end = expiry(settings_->queue, mail);
            if (outcome.ours) {
                auto pause = std::min<std::chrono::milliseconds>(
                    pause_after(settings_->queue, one.attempts, spread), ours_again);
                return std::chrono::ceil<std::chrono::microseconds>(now + pause);
            }
            if (wall >= end) {
                one.status = RecipientStatus::failed;
                one.reason = "given up after " + base::span_in_words(settings_->queue.expire) +
                             (one.reason.empty() ? std::string() : ": " + one.reason);
                break;
            }
            Time next = outcome.destination ? now : now + pause_after(settings_->queue, one.attempts, spread);
            // It is given up, and its sender told of a delay, only after an attempt: that is made in time.
            next = std::min(next, now + (end - wall));
            if (Time due = delay_due(mail); wall < due && wants_delay(mail, one, recipient))
                next = std::min(next, now + (due - wall));
            return std::chrono::ceil<std::chrono::microseconds>(next);
        }
    }
    return Time::max();
}

void Queue::announce_deferral(const Queued& message, std::uint16_t recipient, const RouteKey& route,
                              Time next) const {
    const Message& mail = message.stored->message;
    const RecipientProgress& one = message.progress[recipient];
    std::string id = mail.id.text(), from = mail.envelope.reverse_path.text(),
                to = mail.envelope.forward_paths[recipient].text(), way = route.text();
    observer_.on(event::Deferred{id, from, to, way, one.host, one.stage, one.reason, one.reply,
                                 clock_.on_the_wall(next), one.attempts, one.egress});
}

void Queue::settle(const Job& job, std::vector<Outcome> outcomes) {
    must_not_be_offering();
    ENSURE(outcomes.size() == job.recipients.size(), "each recipient of a job has an outcome");
    Time now = now_exact(clock_);
    double spread = std::uniform_real_distribution<>(0, 1)(random_);
    const QueuedPtr& message = job.message;
    Queued::Leg* leg = open_leg(*message, job.route);
    if (leg == nullptr) return;
    std::vector<std::uint16_t> delivered;
    const Message& mail = message->stored->message;
    for (std::size_t at = 0; at < job.recipients.size(); ++at) {
        std::uint16_t recipient = job.recipients[at];
        if (mail.envelope.journal != JournalReport::none) archive_.judge(mail, outcomes[at], clock_.wall());
        bool deferred = outcomes[at].result == Outcome::Result::deferred;
        bool by_destination = outcomes[at].destination;
        if (outcomes[at].result == Outcome::Result::delivered) delivered.push_back(recipient);
        if (deferred && by_destination) probed_[job.route] = clock_.wall();
        Time next = apply(*message, recipient, job.route, std::move(outcomes[at]), now, spread);
        leg->due = std::min(leg->due, next);
        const RecipientProgress& one = message->progress[recipient];
        if (deferred && one.pending() && !message->removed)
            announce_deferral(*message, recipient, job.route,
                              by_destination ? deliverer_.next_try(job.route) : next);
    }
    if (!delivered.empty() && !message->removed) spool_.note_delivered(mail.id, delivered);
    ENSURE(leg->open_jobs > 0, "a job is settled once");
    bool last = --leg->open_jobs == 0;
    if (message->removed) {
        if (last) drop_leg(*message, job.route);
        return forget(message);
    }
    if (last)
        end_leg(message, job.route);
    else
        record(message, {}, {});
}

void Queue::give_back(const Job& job) {
    must_not_be_offering();
    const QueuedPtr& message = job.message;
    Queued::Leg* leg = open_leg(*message, job.route);
    if (leg == nullptr) return;
    leg->due = now_exact(clock_);
    ENSURE(leg->open_jobs > 0, "a job is given back once, and not after it was settled");
    if (--leg->open_jobs > 0) return;
    if (message->removed) {
        drop_leg(*message, job.route);
        return forget(message);
    }
    end_leg(message, job.route);
}

void Queue::end_leg(const QueuedPtr& message, const RouteKey& route) {
    Queued::Leg& leg = message->legs.at(route);
    Unwritten what;
    Time due = leg.due;
    bool held = false, waits = false;
    for (auto at : leg.recipients) {
        RecipientProgress& one = message->progress[at];
        if (one.pending() && one.order != Order::none) {
            if (one.order == Order::move) due = std::min(due, now_exact(clock_));
            obey(*message, at);
        }
        if (!one.pending()) continue;
        if (one.route == RouteKey::held()) {
            held = true;
            continue;
        }
        waits = true;
        message->wait_at(at, route);
    }
    if (due == Time::max()) due = now_exact(clock_);
    for (auto at : leg.recipients)
        if (RecipientProgress& one = message->progress[at]; one.pending() && one.route == route)
            one.next = due;
    if (waits) what.filed.push_back(WaitKey{route, due});
    if (held) what.filed.push_back(WaitKey{RouteKey::held(), held_until()});
    record(message, route, std::move(what));
}

/// What is known of a message now is to be on the disk; `ended` is the route of a leg that is over with it.
void Queue::record(const QueuedPtr& message, const RouteKey& ended, Unwritten what, Write when) {
    if (!ended.empty()) {
        message->legs.at(ended).ended = true;
        ENSURE(message->open_legs > 0, "a leg ends once");
        if (--message->open_legs == 0) message->ordered = false;
    }
    Unwritten& all = message->unwritten;
    all.filed.insert(all.filed.end(), what.filed.begin(), what.filed.end());
    if (what.bounce) all.bounce = std::move(what.bounce);
    std::size_t size = message->progress.size();
    const bool over = message->open_legs == 0 && when != Write::in_company;
    if (when == Write::at_once || size <= written_at_once || over) return write(message);
    if (std::exchange(message->put_off, true)) return;
    put_off_.emplace_back(now_exact(clock_) + size * pause_for_each, message);
}

void Queue::write(const QueuedPtr& message) {
    message->put_off = false;
    if (message->removed) return;
    Unwritten what = std::exchange(message->unwritten, {});
    const Message& mail = message->stored->message;
    bool open = message->open_legs > 0;
    if (!open) report(*message, what);
    Change change;
    change.id = mail.id;
    change.bounce = std::move(what.bounce);
    change.file = mail.content.file;
    change.done = std::all_of(message->progress.begin(), message->progress.end(),
                              [](const RecipientProgress& one) { return one.resolved(); });
    if (change.done && mail.envelope.journal != JournalReport::none) archive_.gone(mail.id);
    if (!change.done) change.progress = message->progress;
    if (!open) {
        change.tried = message->fresh;
        message->fresh = false;
    }
    Uncommitted entry{0, message, {}, std::move(what.filed)};
    entry.change = spool_.change(std::move(change));
    ++message->uncommitted;
    for (auto& [route, leg] : message->legs)
        if (leg.ended && leg.change == 0) {
            leg.change = entry.change;
            entry.ended.insert(route);
        }
    ENSURE(uncommitted_.empty() || uncommitted_.back().change < entry.change,
           "changes are kept in the order in which they are committed");
    uncommitted_.push_back(std::move(entry));
}

void Queue::write_some(Time now) {
    while (!put_off_.empty() && put_off_.front().first <= now) {
        QueuedPtr message = std::move(put_off_.front().second);
        put_off_.pop_front();
        if (message->put_off) write(message);
        forget(message);
    }
}

void Queue::committed(std::uint64_t changes) {
    must_not_be_offering();
    while (!uncommitted_.empty() && uncommitted_.front().change <= changes) {
        Uncommitted done = std::move(uncommitted_.front());
        uncommitted_.pop_front();
        ENSURE(done.message->uncommitted > 0, "a change is committed once");
        --done.message->uncommitted;
        for (const auto& route : done.ended) drop_leg(*done.message, route);
        // What was filed under the same destination meanwhile has been passed over as long as the leg was
        // there.
        if (!done.ended.empty())
            for (const auto& one : done.message->progress)
                if (one.pending() && !one.route.empty() && done.ended.contains(one.route))
                    wake(one.route, one.next);
        if (done.message->removed)
            for (const auto& route : done.ended) wake(route, now_exact(clock_));
        forget(done.message);
        for (const auto& key : done.filed) wake(key.route, key.due);
    }
}

void Queue::set_aside(const QueuedPtr& message, Change change) {
    message->removed = true;
    change.id = message->stored->message.id;
    change.file = spool_.content_file(change.id);  // if there is one
    ++message->uncommitted;
    uncommitted_.push_back(Uncommitted{spool_.change(std::move(change)), message, {}, {}});
}

Job Queue::split(Job& job, const std::vector<bool>& apart) {
    must_not_be_offering();
    ENSURE(apart.size() == job.recipients.size(), "each recipient of a job is marked or not");
    Job out = job;
    out.recipients.clear();
    std::vector<std::uint16_t> rest;
    for (std::size_t at = 0; at < job.recipients.size(); ++at)
        (apart[at] ? out.recipients : rest).push_back(job.recipients[at]);
    job.recipients = std::move(rest);
    if (Queued::Leg* leg = open_leg(*job.message, job.route)) ++leg->open_jobs;
    return out;
}

void Queue::set_aside_damaged(const Job& job, std::string why) {
    must_not_be_offering();
    if (!job.message->removed) {
        Change change;
        change.damage = std::move(why);
        set_aside(job.message, std::move(change));
    }
    give_back(job);
}

}  // namespace postern::relay
