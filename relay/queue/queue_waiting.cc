// What waits on disk: by route, with the time at which each is looked at next. Whatever waits is on the
// agenda, so that a wake-up that never comes costs a minute and not the mail.
#include <algorithm>

#include "relay/limits.h"
#include "relay/queue/queue.h"
#include "relay/queue/schedule.h"
#include "sync/base/time_text.h"

namespace postern::relay {

namespace {

constexpr std::size_t refill_max = 500;  // messages taken up at once
constexpr std::chrono::seconds crowded_pause{1};
constexpr std::chrono::seconds safety{60};  // a refused route is looked at again, woken or not
constexpr std::chrono::seconds punctual{10};
constexpr std::chrono::milliseconds slice{3};  // of work, before others have their turn

}  // namespace

void Queue::put_on_agenda(Waiting::iterator at, Time when, bool refused) {
    agenda_.erase({at->second.look, at->first});
    at->second.look = when;
    at->second.refused = refused;
    agenda_.emplace(when, at->first);
}

void Queue::wake(const RouteKey& route, Time due) {
    auto [at, added] = waiting_.try_emplace(route, Waits{due});
    at->second.due = std::min(at->second.due, due);
    if (added || due < at->second.look) put_on_agenda(at, due);
}

void Queue::forget_route(Waiting::iterator at) {
    agenda_.erase({at->second.look, at->first});
    waiting_.erase(at);
}

void Queue::look_everywhere() {
    Time now = now_exact(clock_);
    for (auto at = waiting_.begin(); at != waiting_.end(); ++at)
        if (at->second.look > now && at->second.due <= now) put_on_agenda(at, now);
}

/// Whoever calls this has other things in hand, of which what cannot be read here says nothing.
bool Queue::refill(const RouteKey& route, std::size_t part) {
    must_not_be_offering();
    try {
        return take_due(route, part);
    } catch (const std::system_error& fault) {
        postpone(now_exact(clock_), fault);
        if (auto at = waiting_.find(route); at != waiting_.end()) put_on_agenda(at, resume_);
        return false;
    }
}

bool Queue::take_due(const RouteKey& route, std::size_t part) {
    auto at = waiting_.find(route);
    Time now = now_exact(clock_);
    std::size_t taken = 0;
    while (at != waiting_.end() && at->second.due <= now) {
        std::size_t wanted = deliverer_.room(route);
        if (wanted == 0) {
            Time next = deliverer_.trouble(route).empty() ? now : deliverer_.next_try(route);
            put_on_agenda(at, std::max(now, next) + safety, true);
            return false;
        }
        if (window(route) == 0) {
            put_on_agenda(at, now + crowded_pause);
            return false;
        }
        wanted = std::min({wanted, refill_max, window(route), part - taken});
        if (wanted == 0) {
            put_on_agenda(at, now + safety, true);
            return true;
        }
        auto skip = [this, &route](MessageId id) { return busy(id, route); };
        auto entries = spool_.due(route, now, wanted, skip);
        taken += entries.size();
        at->second.passes =
            static_cast<unsigned>(std::min<std::size_t>(at->second.passes + entries.size(), 1000));
        // A message can be filed twice under one destination, after its rules have changed.
        for (const auto& entry : entries)
            if (!busy(entry.id, route)) take_filed(entry, route);
        at = waiting_.find(route);
        if (at == waiting_.end()) return false;
        if (entries.size() == wanted) continue;
        auto later = spool_.due(route, Time::max(), 1, skip);
        if (later.empty()) {
            forget_route(at);
        } else {
            at->second.due = later.front().due;
            put_on_agenda(at, later.front().due);
        }
        return false;
    }
    return false;
}

/// A route that was refused and has not been woken since, although it is open and nothing of it is in hand.
void Queue::forgotten(const RouteKey& route, Time now) {
    auto at = waiting_.find(route);
    bool late = at->second.refused && at->second.due + safety <= now && at->second.look + punctual > now;
    if (!late || in_hand(route) > 0 || !deliverer_.trouble(route).empty() || deliverer_.room(route) == 0)
        return;
    auto span = std::chrono::duration_cast<std::chrono::seconds>(now - at->second.due);
    observer_.on(event::Trouble{event::Area::queue,
                                "mail for " + route.text() + " was due " + base::span_in_words(span) +
                                    " ago and nothing had called for it; it is taken up now",
                                false});
}

std::map<RouteKey, Time> Queue::waiting() const {
    std::map<RouteKey, Time> out;
    for (const auto& [route, waits] : waiting_) out.emplace(route, waits.due);
    return out;
}

std::chrono::seconds Queue::overdue() const {
    Time now = now_exact(clock_), first = now;
    for (const auto& [route, waits] : waiting_)
        if (waits.due < first && route != RouteKey::held() && deliverer_.trouble(route).empty())
            first = waits.due;
    return std::chrono::duration_cast<std::chrono::seconds>(now - first);
}

void Queue::take_filed(const WaitEntry& entry, const RouteKey& route) {
    QueuedPtr message = fetch(entry.id);
    if (!message || message->removed) return;  // it is gone, or is being set aside
    Unwritten what;
    // Others of its recipients go that way already: these follow when that is over.
    if (message->legs.contains(route)) return;
    Queued::Leg leg;
    leg.filed = true;
    Time now = now_exact(clock_);
    bool moved = false;
    std::set<std::pair<RouteKey, Time>> others;
    for (const std::uint16_t at : message->waiting_at(route)) {
        RecipientProgress& one = message->progress[at];
        // Recipients that came here at different times go on together.
        RouteKey to = way(*message, at);
        if (to == route) {
            leg.recipients.push_back(at);
            continue;
        }
        // The rules have changed since it was filed.
        moved = true;
        message->wait_at(at, to);
        if (!waits_restrained(*message, one)) one.next = now;
        if (others.emplace(to, one.next).second) what.filed.push_back(WaitKey{to, one.next});
    }
    add_leg(*message, route) = leg;
    if (leg.recipients.empty()) {
        // Until its entry is gone for good, the message must not be found under it again.
        record(message, route, std::move(what), Write::in_company);
        return;
    }
    if (moved) record(message, {}, std::move(what));
    start_leg(message, route);
}

void Queue::recover() {
    auto& left = *recovery_;
    auto begun = clock_.now();
    if (messages_.size() >= limits::messages / 2) return;
    const auto ids = spool_.fresh(left.after, refill_max);
    for (MessageId id : ids) {
        if (clock_.now() - begun > slice) return;
        left.after = id;
        if (id > left.until) continue;
        QueuedPtr message = fetch(id);
        if (!message || message->removed || message->fresh) continue;
        // All of it is filed already: it is only to be written down that it is not new any more.
        message->fresh = true;
        if (message->open_legs == 0) record(message, {}, {});
    }
    if (ids.size() < refill_max) recovery_.reset();
}

std::set<RouteKey> Queue::routes() const {
    std::set<RouteKey> out;
    for (const auto& [route, waits] : waiting_) out.insert(route);
    for (const auto& [route, legs] : in_hand_) out.insert(route);
    return out;
}

void Queue::reroute(const RouteKey& route) {
    if (route != RouteKey::held()) obsolete_.insert(route);
}

void Queue::move_away(const RouteKey& route) {
    auto skip = [this, &route](MessageId id) { return busy(id, route); };
    auto entries = spool_.due(route, Time::max(), refill_max, skip);
    for (const auto& entry : entries) take_filed(entry, route);
    if (!entries.empty() || messages_.size() >= limits::messages) return;
    // Those that were skipped are read once more when their changes are written.
    if (in_hand(route) == 0) obsolete_.erase(route);
}

/// In turn, as far as there is time.
void Queue::move_some() {
    const auto begun = clock_.now();
    moving_ = false;
    for (std::size_t left = obsolete_.size(); left > 0 && !moving_; --left) {
        auto at = obsolete_.upper_bound(moved_);
        moved_ = at != obsolete_.end() ? *at : *obsolete_.begin();
        move_away(moved_);
        moving_ = clock_.now() - begun > slice;
    }
    moving_ = moving_ && !obsolete_.empty();
}

void Queue::run(Time now) {
    must_not_be_offering();
    if (now < resume_) return;
    try {
        work(now);
        unreadable_ = false;
    } catch (const std::system_error& fault) {
        postpone(now, fault);
    }
}

void Queue::postpone(Time now, const std::system_error& fault) {
    resume_ = now + crowded_pause;
    if (!std::exchange(unreadable_, true))
        observer_.on(
            event::Trouble{event::Area::spool, std::string(fault.what()) + "; it is tried again", true});
}

void Queue::work(Time now) {
    auto begun = clock_.now();
    start_some();
    write_some(now);
    if (recovery_) recover();
    if (!obsolete_.empty()) move_some();
    while (!agenda_.empty() && agenda_.begin()->first <= now && clock_.now() - begun < 2 * slice) {
        RouteKey route = agenda_.begin()->second;
        forgotten(route, now);
        auto at = waiting_.find(route);
        // What refill() finds out decides when it is looked at again.
        put_on_agenda(at, now + safety, true);
        take_due(route);
    }
    if (roll_.next <= now) call_roll(now);
}

Time Queue::next_run() const {
    Time next = roll_.next;
    if (!agenda_.empty()) next = std::min(next, agenda_.begin()->first);
    if (!put_off_.empty()) next = std::min(next, put_off_.front().first);
    if (!obsolete_.empty()) next = std::min(next, now_exact(clock_) + std::chrono::milliseconds(100));
    if (recovery_)
        next = std::min(next, messages_.size() < limits::messages / 2
                                  ? Time{}
                                  : now_exact(clock_) + std::chrono::milliseconds(100));
    if (!starting_.empty() || moving_) next = Time{};
    return std::max(next, resume_);
}

}  // namespace postern::relay
