// What is to be delivered, when, and what came of it. Keeps in memory only what can be worked on now; the
// rest waits in the spool, filed by destination and time.
#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <limits>
#include <map>
#include <memory>
#include <optional>
#include <random>
#include <set>
#include <string>
#include <system_error>
#include <unordered_map>
#include <vector>

#include "relay/observer.h"
#include "relay/queue/archive.h"
#include "relay/queue/deliverer.h"
#include "relay/queue/job.h"
#include "relay/queue/spool.h"
#include "relay/settings.h"
#include "relay/views.h"
#include "sync/base/clock.h"

namespace postern::relay {

/// Used on the delivery thread only. While it offers a job to the deliverer half of a message's jobs are
/// handed out: from within Deliverer::offer() nothing here is called but what changes nothing, else the
/// contract is broken (sync/base/ensure.h).
///
/// Of each job that was offered one of these comes back, once, in whatever order: settle(), give_back(),
/// set_aside_damaged(). What split() took out of a job is a job like that one. Where a message was taken out
/// by an operator meanwhile they do nothing but count.
///
/// One thing: what waits, what is in hand and what is being written are together all that there is of a
/// message.
class Queue {
public:
    Queue(const base::Clock& clock, Spool& spool, SettingsPtr settings, Observer& observer,
          Deliverer& deliverer, std::uint32_t seed = std::random_device{}());

    void reload(SettingsPtr settings) { settings_ = std::move(settings); }
    // By whoever hears of commits, in their order.
    void admit(StoredPtr stored);           // committed just now
    void committed(std::uint64_t changes);  // every change up to this number is written

    // By the deliverer.
    void settle(const Job& job, std::vector<Outcome> outcomes);  // one outcome per recipient of the job
    void give_back(const Job& job);  // untouched: it waits until its destination has room
    /// Takes the recipients marked in `apart` out of the job, for a job of their own.
    Job split(Job& job, const std::vector<bool>& apart);
    /// Only for content that is proven wrong, never for a read error: its record and content go to damaged/.
    void set_aside_damaged(const Job& job, std::string why);
    void reroute(const RouteKey& route);  // it exists no more: what waits there moves, part by part
    /// The destination may have room: takes up what is due there, at most `part` messages. True when more of
    /// it is due and nothing but `part` stopped it.
    bool refill(const RouteKey& route, std::size_t part = std::numeric_limits<std::size_t>::max());
    void look_everywhere();  // each route is looked at soon, whatever was known of it
    /// What has come due is taken up, what waits is gone through; some milliseconds of it at a time. `now` is
    /// of the steady time, like next_run().
    void run(Time now);
    Time next_run() const;  // when run() is needed next

    /// By an operator.
    /// `restrained`: also what waits for its first attempt because of its sender's volume.
    Applied retry(const std::vector<MessageId>& ids, bool restrained = true);
    Applied remove(const std::vector<MessageId>& ids);
    /// What of it is in hand goes on as far as it is being sent; the rest is to be given back at once.
    Applied hold(const std::vector<MessageId>& ids);
    Applied release(const std::vector<MessageId>& ids);
    Applied bounce(const std::vector<MessageId>& ids, const std::string& reason);
    Applied move(const std::vector<MessageId>& ids, const RouteKey& route);  // empty: by the rules
    /// Lays what memory knows better over views made from the spool.
    void overlay(std::vector<MessageView>& views) const;

    std::size_t active() const { return messages_.size(); }
    /// Messages in memory that go this way.
    std::size_t in_hand(const RouteKey& route) const;
    /// The number of the last change that was handed to the spool and is not known to be written; 0 for none.
    std::uint64_t last_change() const { return uncommitted_.empty() ? 0 : uncommitted_.back().change; }
    /// Routes that something waits for in the spool, with the earliest time it is due.
    std::map<RouteKey, Time> waiting() const;
    std::set<RouteKey> routes() const;  // of all that waits or is in hand
    /// How long the mail that waits longest is past its time although its destination is not in trouble.
    std::chrono::seconds overdue() const;
    const ArchiveView& archive() const { return archive_.view(); }

private:
    struct Waits {
        Time due;              // the earliest of what waits in the spool and is not in hand
        Time look{};           // when to look at it; every route that waits is on the agenda
        bool refused = false;  // that look is only for safety: the destination wakes it before
        unsigned passes = 0;   // taken from the spool since new mail last went past it
    };
    using Waiting = std::map<RouteKey, Waits>;

    // queue.cc: what is in memory
    QueuedPtr fetch(MessageId id);
    bool busy(MessageId id, const RouteKey& route) const;
    void forget(const QueuedPtr& message);
    RouteKey way(const Queued& message, std::size_t recipient) const;
    void take_up(const QueuedPtr& message);
    static bool waits_restrained(const Queued& message, const RecipientProgress& one);
    bool restrain(Queued& message, std::size_t recipient, const RouteKey& route, Unwritten& what);
    Queued::Leg& add_leg(Queued& message, const RouteKey& route);
    void drop_leg(Queued& message, const RouteKey& route);
    void start_leg(const QueuedPtr& message, const RouteKey& route);
    void start_some();
    void must_not_be_offering() const;
    bool takes(const RouteKey& route, bool filed);
    std::size_t window(const RouteKey& route) const;

    // queue_outcomes.cc: what came of it, and how it is written down
    bool to_screening(const Envelope& envelope, const RouteKey& route) const;
    Time apply(Queued& message, std::uint16_t recipient, const RouteKey& route, Outcome outcome, Time now,
               double spread);
    void announce_deferral(const Queued& message, std::uint16_t recipient, const RouteKey& route,
                           Time next) const;
    void end_leg(const QueuedPtr& message, const RouteKey& route);
    enum class Write : std::uint8_t { usual, at_once, in_company };
    void record(const QueuedPtr& message, const RouteKey& ended, Unwritten what, Write when = Write::usual);
    void write(const QueuedPtr& message);
    void write_some(Time now);
    void set_aside(const QueuedPtr& message, Change change);

    // queue_waiting.cc: what waits on disk
    void work(Time now);
    bool take_due(const RouteKey& route, std::size_t part = std::numeric_limits<std::size_t>::max());
    void postpone(Time now, const std::system_error& fault);
    void wake(const RouteKey& route, Time due);
    void put_on_agenda(Waiting::iterator at, Time when, bool refused = false);
    void forget_route(Waiting::iterator at);
    void forgotten(const RouteKey& route, Time now);
    void take_filed(const WaitEntry& entry, const RouteKey& route);
    void recover();
    void move_away(const RouteKey& route);
    void move_some();

    // queue_sweeps.cc: reports, and the roll call of all that waits
    void report(Queued& message, Unwritten& what);
    bool wants_delay(const Message& mail, const RecipientProgress& one, std::size_t recipient) const;
    Time delay_due(const Message& mail) const;
    bool tried_since(const RecipientProgress& one, Time moment) const;
    bool given_up(const Message& mail, const RecipientProgress& one) const;
    bool astray(const RecipientProgress& one, const Stored& stored) const;
    bool in_place(const Stored& stored, const Progress& progress, const Queued* memory, Time now);
    void put_in_place(const QueuedPtr& message, Time now);
    bool announce_delay(Queued& message, Unwritten& what);
    void call(MessageId id, Time now);
    void call_roll(Time now);

    // queue_operations.cc
    QueuedPtr kept(MessageId id);
    template <typename Each>
    Applied operate(const std::vector<MessageId>& ids, Order order, const std::string& reason, Each each);
    void file(Queued& message, std::size_t recipient, const RouteKey& route, Time due, Unwritten& what);
    void obey(Queued& message, std::uint16_t recipient);
    void obey_all(const QueuedPtr& message);
    void lay_memory_over(std::vector<MessageView>& views) const;

    const base::Clock& clock_;
    Spool& spool_;
    SettingsPtr settings_;
    Observer& observer_;
    Deliverer& deliverer_;
    Archive archive_;
    std::unordered_map<std::uint64_t, QueuedPtr> messages_;
    std::unordered_map<RouteKey, std::size_t> in_hand_;    // legs by route
    std::deque<std::pair<QueuedPtr, RouteKey>> starting_;  // legs still to be handed out
    std::deque<std::pair<Time, QueuedPtr>> put_off_;       // when what came of them is written down
    bool offering_ = false;  // a message's jobs are handed out: nothing of it changes meanwhile
    Waiting waiting_;
    std::set<std::pair<Time, RouteKey>> agenda_;  // when to look at which route: Waits::look

    struct Uncommitted {
        std::uint64_t change;
        QueuedPtr message;
        std::set<RouteKey> ended;    // routes of the legs that are over with it
        std::vector<WaitKey> filed;  // can be read back from now on
    };
    std::deque<Uncommitted> uncommitted_;

    struct Recovery {
        MessageId after, until;
    };
    std::optional<Recovery> recovery_;
    Time resume_{};                    // not before, because the spool could not be read
    bool unreadable_ = false;          // and that was told
    std::set<RouteKey> obsolete_;      // routes that what waits is moved away from
    RouteKey moved_;                   // the one of them that was looked at last
    bool moving_ = false;              // there was no time for the next
    std::map<RouteKey, Time> probed_;  // when a destination last turned out to take nothing; wall clock

    /// All that is in the spool is gone through, over and over.
    struct Roll {
        MessageId after;         // those up to here have been called
        Time next{};             // when to go on
        bool first = true;       // since the start
        std::size_t astray = 0;  // had no place in line, since that was last told
        std::string example;
    };
    Roll roll_;
    std::uint64_t held_bytes_ = 0;
    std::minstd_rand random_;
};

}  // namespace postern::relay
