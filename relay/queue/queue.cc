#include "relay/queue/queue.h"

#include <algorithm>

#include "relay/queue/schedule.h"

namespace postern::relay {

namespace {

constexpr std::size_t active_max = 20'000;              // messages in memory
constexpr std::uint64_t held_bytes_max = 256ull << 20;  // of content in memory
constexpr std::size_t refill_max = 500;                 // messages taken up at once
constexpr std::size_t said_max = 1000;                  // octets kept of what a server said

}  // namespace

Queue::Queue(Spool& spool, SettingsPtr settings, Observer& observer, Hooks hooks)
    : spool_(spool), settings_(std::move(settings)), observer_(observer), hooks_(std::move(hooks)) {
    for (auto& key : spool_.routes()) wake(key.route, key.due);
    recovery_ = Recovery{spool_.volumes(), {}, spool_.new_id()};
}

// ---- what is in memory

QueuedPtr Queue::fetch(MessageId id, std::uint32_t volume) {
    if (auto found = messages_.find(id.value); found != messages_.end()) return found->second;
    auto loaded = spool_.load(id, volume);
    if (!loaded) return nullptr;
    auto message = std::make_shared<Queued>();
    message->stored =
        loaded->stored ? loaded->stored : std::make_shared<Stored>(Stored{Message{id, {}, {}}, volume});
    message->progress = std::move(loaded->progress);
    messages_.emplace(id.value, message);
    if (!loaded->stored) {
        Change change;
        change.damage = "its record cannot be read";
        set_aside(message, std::move(change));
    }
    return message;
}

bool Queue::busy(MessageId id, const std::string& route) const {
    auto found = messages_.find(id.value);
    if (found == messages_.end()) return false;
    const Queued& message = *found->second;
    return message.removed || std::any_of(message.legs.begin(), message.legs.end(),
                                          [&](const Queued::Leg& leg) { return leg.route == route; });
}

void Queue::forget(const QueuedPtr& message) {
    if (!message->legs.empty() || message->uncommitted > 0) return;
    if (message->stored->message.content.bytes) held_bytes_ -= message->stored->message.content.size;
    messages_.erase(message->stored->message.id.value);
}

void Queue::admit(StoredPtr stored) {
    auto message = std::make_shared<Queued>();
    message->stored = std::move(stored);
    // An operator may have found it in the spool and removed it already.
    if (!messages_.emplace(message->stored->message.id.value, message).second) return;
    Content& content = message->stored->message.content;
    if (content.bytes) {
        if (held_bytes_ + content.size > held_bytes_max)
            content.bytes.reset();
        else
            held_bytes_ += content.size;
    }
    message->progress.resize(message->stored->message.envelope.forward_paths.size());
    message->fresh = true;
    take_up(message);
}

/// Where a recipient's mail goes by the rules, or by what an operator wants instead.
std::string Queue::way(const Queued& message, std::size_t recipient) const {
    const std::string& pinned = message.progress[recipient].pinned;
    if (!pinned.empty() && hooks_.exists(pinned)) return pinned;
    const Envelope& envelope = message.stored->message.envelope;
    return hooks_.route(envelope, envelope.forward_paths[recipient]);
}

void Queue::take_up(const QueuedPtr& message) {
    std::map<std::string, std::vector<std::uint16_t>> legs;
    for (std::size_t at = 0; at < message->progress.size(); ++at)
        if (message->progress[at].pending() && message->progress[at].route.empty())
            legs[way(*message, at)].push_back(static_cast<std::uint16_t>(at));
    if (legs.empty()) return record(message, {}, {});
    for (auto& [route, recipients] : legs) {
        Queued::Leg leg;
        leg.route = route;
        leg.recipients = std::move(recipients);
        message->legs.push_back(std::move(leg));
    }
    // Only when all legs are known: a leg that ends at once looks whether others are open.
    std::vector<Queued::Leg> open = message->legs;
    for (auto& leg : open) start_leg(message, std::move(leg));
}

void Queue::start_leg(const QueuedPtr& message, Queued::Leg wanted) {
    auto leg = std::find_if(message->legs.begin(), message->legs.end(), [&](const Queued::Leg& one) {
        return one.route == wanted.route && one.change == 0;
    });
    std::size_t size = std::max<std::size_t>(1, settings_->delivery.recipients);
    std::size_t jobs = (wanted.recipients.size() + size - 1) / size;
    if (hooks_.room(wanted.route) == 0 || messages_.size() > active_max) {
        std::string trouble = hooks_.trouble(wanted.route);
        for (auto at : wanted.recipients) {
            RecipientProgress& one = message->progress[at];
            one.next = now_exact();
            if (trouble.empty()) continue;
            one.reply = Reply();
            one.reason = trouble;
            one.stage = "destination";
            if (message->fresh) announce_deferral(*message, at, wanted.route, hooks_.next_try(wanted.route));
        }
        return end_leg(message, wanted.route);
    }
    leg->open_jobs = static_cast<unsigned>(jobs);
    for (std::size_t from = 0; from < wanted.recipients.size(); from += size) {
        std::size_t to = std::min(from + size, wanted.recipients.size());
        Job job;
        job.message = message;
        job.route = wanted.route;
        job.recipients.assign(wanted.recipients.begin() + static_cast<std::ptrdiff_t>(from),
                              wanted.recipients.begin() + static_cast<std::ptrdiff_t>(to));
        job.further = from > 0;
        hooks_.offer(std::move(job));
    }
}

// ---- what came of it

void Queue::apply(Queued& message, std::uint16_t recipient, const std::string& route, Outcome outcome,
                  Time now, double spread) {
    RecipientProgress& one = message.progress[recipient];
    const Message& mail = message.stored->message;
    if (outcome.attempted) ++one.attempts;
    one.reply = std::move(outcome.reply);
    one.reason = std::move(outcome.reason);
    // Kept for each recipient and written again with each attempt.
    if (one.reply.text.size() > said_max) one.reply.text.resize(said_max);
    if (one.reason.size() > said_max) one.reason.resize(said_max);
    one.host = std::move(outcome.host);
    one.stage = std::move(outcome.stage);
    one.egress = std::move(outcome.egress);
    one.tls = std::move(outcome.tls);
    switch (outcome.result) {
        case Outcome::Result::delivered: {
            one.status = RecipientStatus::delivered;
            one.relayed = outcome.relayed && mail.envelope.options_of(recipient).notify.success;
            std::string id = mail.id.text(), from = mail.envelope.reverse_path.text(),
                        to = mail.envelope.forward_paths[recipient].text();
            observer_.on(event::Delivered{
                id, from, to, route, one.host, one.tls, one.egress, one.reply,
                std::chrono::duration_cast<std::chrono::milliseconds>(now - mail.id.arrived())});
            break;
        }
        case Outcome::Result::failed: one.status = RecipientStatus::failed; break;
        case Outcome::Result::deferred: {
            Time end = expiry(settings_->queue, mail.id.arrived());
            if (now >= end) {
                one.status = RecipientStatus::failed;
                one.reason = "given up after " + span_in_words(settings_->queue.expire) +
                             (one.reason.empty() ? std::string() : ": " + one.reason);
                break;
            }
            one.next = outcome.destination ? now : now + pause_after(settings_->queue, one.attempts, spread);
            one.next = std::chrono::time_point_cast<std::chrono::microseconds>(std::min(one.next, end));
            break;
        }
    }
}

void Queue::announce_deferral(const Queued& message, std::uint16_t recipient, const std::string& route,
                              Time next) const {
    const Message& mail = message.stored->message;
    const RecipientProgress& one = message.progress[recipient];
    std::string id = mail.id.text(), from = mail.envelope.reverse_path.text(),
                to = mail.envelope.forward_paths[recipient].text();
    observer_.on(event::Deferred{id, from, to, route, one.host, one.stage, one.reason, one.reply, next,
                                 one.attempts, one.egress});
}

void Queue::settle(const Job& job, std::vector<Outcome> outcomes) {
    Time now = now_exact();
    double spread = std::uniform_real_distribution<>(0, 1)(random_);
    const QueuedPtr& message = job.message;
    auto leg = std::find_if(message->legs.begin(), message->legs.end(), [&](const Queued::Leg& one) {
        return one.route == job.route && one.change == 0;
    });
    if (leg == message->legs.end()) return;
    std::vector<std::uint16_t> delivered;
    const Message& mail = message->stored->message;
    for (std::size_t at = 0; at < job.recipients.size(); ++at) {
        std::uint16_t recipient = job.recipients[at];
        bool deferred = outcomes[at].result == Outcome::Result::deferred;
        bool by_destination = outcomes[at].destination;
        if (outcomes[at].result == Outcome::Result::delivered) delivered.push_back(recipient);
        apply(*message, recipient, job.route, std::move(outcomes[at]), now, spread);
        const RecipientProgress& one = message->progress[recipient];
        if (deferred && one.pending() && !message->removed)
            announce_deferral(*message, recipient, job.route,
                              by_destination ? hooks_.next_try(job.route) : one.next);
    }
    bool last = --leg->open_jobs == 0;
    if (message->removed) {
        if (last) message->legs.erase(leg);
        return forget(message);
    }
    if (last)
        end_leg(message, job.route);
    else
        record(message, {}, {});
    if (!delivered.empty()) spool_.note_delivered(mail.id, delivered, uncommitted_.back().change);
}

void Queue::give_back(const Job& job) {
    const QueuedPtr& message = job.message;
    auto leg = std::find_if(message->legs.begin(), message->legs.end(), [&](const Queued::Leg& one) {
        return one.route == job.route && one.change == 0;
    });
    if (leg == message->legs.end()) return;
    Time now = now_exact();
    for (auto at : job.recipients) message->progress[at].next = now;
    if (--leg->open_jobs > 0) return;
    if (message->removed) {
        message->legs.erase(leg);
        return forget(message);
    }
    end_leg(message, job.route);
}

void Queue::end_leg(const QueuedPtr& message, const std::string& route) {
    auto leg = std::find_if(message->legs.begin(), message->legs.end(),
                            [&](const Queued::Leg& one) { return one.route == route && one.change == 0; });
    Change change;
    Time due = Time::max();
    if (message->order != Queued::Order::none)
        for (auto at : leg->recipients) obey(*message, at, message->order);
    for (auto at : leg->recipients)
        if (message->progress[at].pending()) due = std::min(due, message->progress[at].next);
    for (Time filed : leg->filed) change.unwait.push_back(WaitKey{route, filed});
    if (due != Time::max()) {
        bool held = message->order == Queued::Order::hold;
        const std::string filed = held ? std::string(held_route) : route;
        if (held) due = held_until();
        for (auto at : leg->recipients)
            if (RecipientProgress& one = message->progress[at]; one.pending()) {
                one.route = filed;
                one.next = due;
            }
        change.wait.push_back(WaitKey{filed, due});
    }
    bool last = std::none_of(message->legs.begin(), message->legs.end(),
                             [&](const Queued::Leg& one) { return one.change == 0 && one.route != route; });
    if (last) message->order = Queued::Order::none;
    record(message, route, std::move(change));
}

void Queue::record(const QueuedPtr& message, const std::string& route, Change change) {
    const Message& mail = message->stored->message;
    bool open = std::any_of(message->legs.begin(), message->legs.end(),
                            [&](const Queued::Leg& one) { return one.change == 0 && one.route != route; });
    if (!open) report(*message, change);
    change.id = mail.id;
    change.volume = message->stored->volume;
    change.file = mail.content.file;
    change.done = std::all_of(message->progress.begin(), message->progress.end(),
                              [](const RecipientProgress& one) { return one.resolved(); });
    if (!change.done) change.progress = message->progress;
    if (!open) {
        change.tried = message->fresh;
        message->fresh = false;
    }
    Uncommitted entry{0, message, route, change.wait};
    entry.change = spool_.change(std::move(change));
    ++message->uncommitted;
    if (!route.empty())
        for (auto& leg : message->legs)
            if (leg.route == route && leg.change == 0) leg.change = entry.change;
    uncommitted_.push_back(std::move(entry));
}

void Queue::committed(std::uint64_t changes) {
    spool_.changes_committed(changes);
    while (!uncommitted_.empty() && uncommitted_.front().change <= changes) {
        Uncommitted done = std::move(uncommitted_.front());
        uncommitted_.pop_front();
        --done.message->uncommitted;
        std::erase_if(done.message->legs, [&](const Queued::Leg& leg) { return leg.change == done.change; });
        // What was filed under the same destination meanwhile has been passed over as long as the leg was
        // there.
        for (const auto& one : done.message->progress)
            if (one.pending() && !one.route.empty() && one.route == done.ended) wake(one.route, one.next);
        if (done.message->removed && !done.ended.empty()) wake(done.ended, Time{});
        forget(done.message);
        for (const auto& key : done.filed) wake(key.route, key.due);
    }
}

void Queue::set_aside(const QueuedPtr& message, Change change) {
    message->removed = true;
    change.id = message->stored->message.id;
    change.volume = message->stored->volume;
    std::error_code ignored;
    std::filesystem::path file = spool_.content_file(change.id);
    if (std::filesystem::exists(file, ignored)) change.file = file;
    ++message->uncommitted;
    uncommitted_.push_back(Uncommitted{spool_.change(std::move(change)), message, {}, {}});
}

Job Queue::split(Job& job, const std::vector<bool>& apart) {
    Job out = job;
    out.recipients.clear();
    std::vector<std::uint16_t> rest;
    for (std::size_t at = 0; at < job.recipients.size(); ++at)
        (apart[at] ? out.recipients : rest).push_back(job.recipients[at]);
    job.recipients = std::move(rest);
    for (auto& leg : job.message->legs)
        if (leg.route == job.route && leg.change == 0) ++leg.open_jobs;
    return out;
}

void Queue::spoil(const Job& job, std::string why) {
    if (!job.message->removed) {
        Change change;
        change.damage = std::move(why);
        for (const auto& leg : job.message->legs)
            for (Time filed : leg.filed) change.unwait.push_back(WaitKey{leg.route, filed});
        for (const auto& one : job.message->progress)
            if (one.pending() && !one.route.empty()) change.unwait.push_back(WaitKey{one.route, one.next});
        set_aside(job.message, std::move(change));
    }
    give_back(job);
}

// ---- what waits on disk

void Queue::wake(const std::string& route, Time due) {
    auto [at, added] = earliest_.emplace(route, due);
    if (!added && at->second <= due) return;
    at->second = due;
    agenda_.emplace(due, route);
}

void Queue::refill(const std::string& route) {
    auto found = earliest_.find(route);
    Time now = now_exact();
    while (found != earliest_.end() && found->second <= now) {
        if (messages_.size() >= active_max) {
            agenda_.emplace(now + std::chrono::seconds(1), route);
            return;
        }
        std::size_t room = std::min({hooks_.room(route), refill_max, active_max - messages_.size()});
        if (room == 0) return;
        auto skip = [this, &route](MessageId id) { return busy(id, route); };
        auto entries = spool_.due(route, now, room, skip);
        // A message can be filed twice under one destination, after its rules have changed.
        for (const auto& entry : entries)
            if (!busy(entry.id, route)) take_filed(entry, route);
        if (entries.size() == room) continue;
        earliest_.erase(found);
        auto later = spool_.due(route, Time::max(), 1, skip);
        if (!later.empty()) wake(route, later.front().due);
        return;
    }
}

void Queue::take_filed(const WaitEntry& entry, const std::string& route) {
    QueuedPtr message = fetch(entry.id, entry.volume);
    Change change;
    change.unwait.push_back(WaitKey{route, entry.due});
    if (!message || message->removed) {
        // The entry outlived its message, or the message was set aside just now.
        change.id = entry.id;
        change.volume = entry.volume;
        auto holder = message ? message : std::make_shared<Queued>();
        if (!message)
            holder->stored = std::make_shared<Stored>(Stored{Message{entry.id, {}, {}}, entry.volume});
        messages_.emplace(entry.id.value, holder);
        holder->removed = true;
        ++holder->uncommitted;
        // Others of its entries are passed over until then.
        uncommitted_.push_back(Uncommitted{spool_.change(std::move(change)), holder, route, {}});
        return;
    }
    Queued::Leg leg;
    leg.route = route;
    leg.filed.push_back(entry.due);
    Time now = now_exact();
    bool moved = false;
    for (std::size_t at = 0; at < message->progress.size(); ++at) {
        RecipientProgress& one = message->progress[at];
        if (!one.pending() || one.route != route) continue;
        // Recipients that came here at different times go on together; none of their entries must stay
        // behind.
        if (std::find(leg.filed.begin(), leg.filed.end(), one.next) == leg.filed.end()) {
            leg.filed.push_back(one.next);
            change.unwait.push_back(WaitKey{route, one.next});
        }
        std::string to = way(*message, at);
        if (to == route) {
            leg.recipients.push_back(static_cast<std::uint16_t>(at));
            continue;
        }
        // The rules have changed since it was filed.
        moved = true;
        one.route = to;
        one.next = now;
        WaitKey key{to, now};
        if (std::find(change.wait.begin(), change.wait.end(), key) == change.wait.end())
            change.wait.push_back(key);
    }
    if (leg.recipients.empty()) {
        // Until its entry is gone for good, the message must not be found under it again.
        message->legs.push_back(std::move(leg));
        record(message, route, std::move(change));
        return;
    }
    if (moved) {
        change.unwait.clear();
        record(message, {}, std::move(change));
    }
    message->legs.push_back(leg);
    start_leg(message, std::move(leg));
}

void Queue::recover() {
    auto& left = *recovery_;
    while (!left.volumes.empty() && messages_.size() < active_max / 2) {
        std::uint32_t volume = left.volumes.front();
        auto ids = spool_.fresh(volume, left.after, refill_max);
        bool more = ids.size() == refill_max;
        for (MessageId id : ids) {
            left.after = id;
            if (id > left.until || messages_.contains(id.value)) continue;
            QueuedPtr message = fetch(id, volume);
            if (!message || message->removed) continue;
            message->fresh = true;
            take_up(message);
        }
        if (more) return;
        left.volumes.erase(left.volumes.begin());
        left.after = {};
    }
    if (left.volumes.empty()) recovery_.reset();
}

std::set<std::string> Queue::routes() const {
    std::set<std::string> out;
    for (const auto& [route, due] : earliest_) out.insert(route);
    for (const auto& [id, message] : messages_)
        for (const auto& leg : message->legs) out.insert(leg.route);
    return out;
}

void Queue::reroute(const std::string& route) { obsolete_.insert(route); }

void Queue::move_away(const std::string& route) {
    auto skip = [this, &route](MessageId id) {
        auto found = messages_.find(id.value);
        return found != messages_.end() && (busy(id, route) || found->second->uncommitted > 0);
    };
    auto entries = spool_.due(route, Time::max(), refill_max, skip);
    for (const auto& entry : entries) take_filed(entry, route);
    if (!entries.empty() || messages_.size() >= active_max) return;
    // Those that were skipped are read once more when their changes are written.
    bool open = std::any_of(messages_.begin(), messages_.end(),
                            [&](const auto& one) { return busy(one.second->stored->message.id, route); });
    if (!open) obsolete_.erase(route);
}

void Queue::run(Time now) {
    if (recovery_) recover();
    for (const auto& route : std::set(obsolete_)) move_away(route);
    while (!agenda_.empty() && agenda_.begin()->first <= now) {
        std::string route = agenda_.begin()->second;
        agenda_.erase(agenda_.begin());
        refill(route);
    }
    if (next_sweep_ <= now) give_up_old(now);
    if (next_delays_ <= now) announce_delays(now);
}

Time Queue::next_run() const {
    Time next = std::min(next_sweep_, next_delays_);
    if (!agenda_.empty()) next = std::min(next, agenda_.begin()->first);
    if (!obsolete_.empty()) next = std::min(next, now_exact() + std::chrono::milliseconds(100));
    if (recovery_)
        next = std::min(
            next, messages_.size() < active_max / 2 ? Time{} : now_exact() + std::chrono::milliseconds(100));
    return next;
}

}  // namespace postern::relay
