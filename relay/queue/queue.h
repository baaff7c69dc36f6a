// What is to be delivered, when, and what came of it. Keeps in memory only what can be worked on now; the
// rest waits in the spool, filed by destination and time.
#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <random>
#include <set>
#include <string>
#include <unordered_map>
#include <vector>

#include "relay/observer.h"
#include "relay/queue/spool.h"
#include "relay/settings.h"
#include "relay/views.h"

namespace postern::relay {

/// A message that is being worked on. Its Progress here is ahead of the spool's by what is not yet committed.
struct Queued {
    StoredPtr stored;
    Progress progress;
    bool fresh = false;    // filed nowhere else yet
    bool removed = false;  // taken out while in hand: nothing of it is sent any more
    /// What an operator wants of what is in hand, done as soon as it is not: nothing more of it is sent.
    enum class Order : std::uint8_t { none, hold, bounce, move };
    Order order = Order::none;
    std::string order_reason;   // of a bounce: what the sender is told; of a move: the route
    unsigned uncommitted = 0;   // changes on their way to the disk
    std::vector<bool> sending;  // by recipient: a transaction with it is going on; empty while there is none

    /// The recipients that go one way, from the time they are taken up until what came of it is committed.
    struct Leg {
        std::string route;
        std::vector<std::uint16_t> recipients;
        unsigned open_jobs = 0;
        std::vector<Time> filed;   // under these times in the spool
        std::uint64_t change = 0;  // the change that ended it, 0 while it is worked on
    };
    std::vector<Leg> legs;

    bool halted() const { return removed || order != Order::none; }
};
using QueuedPtr = std::shared_ptr<Queued>;

/// One transaction's worth: recipients of one message that go to one destination.
struct Job {
    QueuedPtr message;
    std::string route;
    std::vector<std::uint16_t> recipients;  // indexes into Envelope::forward_paths
    bool further = false;                   // its message has another that was offered before
    bool bare = false;                      // a server did not take its DSN parameters: it goes without
    /// Our address that was refused for a reason nobody knows: another is tried, and compared with it.
    std::string suspect;
    Reply suspicion;
    std::set<std::string> refused_from;  // our addresses that this attempt was told are listed
};

/// What came of one recipient of a job.
struct Outcome {
    enum class Result : std::uint8_t { delivered, deferred, failed };
    Result result = Result::deferred;
    Reply reply;                   // the remote server's, code 0 when there was none
    std::string reason;            // in words, when there was no reply
    std::string host, stage, tls;  // tls: what was wanted and what was reached
    std::string egress;            // our address
    bool relayed = false;          // delivered to a host that reports nothing itself
    bool destination = false;      // the fault is the destination's: tried again as soon as that works
    bool attempted = true;         // false: not even tried, because the destination was known to be down
};

/// Used on the delivery thread only.
class Queue {
public:
    /// Something the sender is to be told about a recipient.
    struct Notice {
        enum class Kind : std::uint8_t { failed, delayed, relayed };
        std::uint16_t recipient = 0;
        Kind kind = Kind::failed;
    };
    struct Hooks {
        /// Which destination a recipient goes to now.
        std::function<std::string(const Envelope&, const Address&)> route;
        /// Whether the configuration has the destination that mail was moved to.
        std::function<bool(const std::string& route)> exists;
        /// How many jobs a destination takes at present: 0 when it is down or has enough.
        std::function<std::size_t(const std::string& route)> room;
        /// Takes the job; settle() or give_back() follows, but not before this returned.
        std::function<void(Job)> offer;
        /// What is wrong with a destination, "" when nothing is; and when one that is down is tried next.
        std::function<std::string(const std::string& route)> trouble;
        std::function<Time(const std::string& route)> next_try;
        /// The report to the sender, to be committed with its id; null when none is due.
        std::function<StoredPtr(const Stored&, const Progress&, const std::vector<Notice>&)> report;
    };

    Queue(Spool& spool, SettingsPtr settings, Observer& observer, Hooks hooks);

    void reload(SettingsPtr settings) { settings_ = std::move(settings); }
    void admit(StoredPtr stored);                                // committed just now
    void committed(std::uint64_t changes);                       // every change up to this number is durable
    void settle(const Job& job, std::vector<Outcome> outcomes);  // one outcome per recipient of the job
    void give_back(const Job& job);  // untouched: it waits until its destination has room
    /// Takes the recipients marked in `apart` out of the job, for a job of their own.
    Job split(Job& job, const std::vector<bool>& apart);
    void spoil(const Job& job, std::string why);  // its content cannot be read: set aside
    void reroute(const std::string& route);       // it exists no more: what waits there moves, part by part
    void refill(const std::string& route);        // the destination has room
    void run(Time now);                           // takes up what is due, gives up what is too old
    Time next_run() const;                        // when run() is needed next

    /// By an operator. Each gives how many of the messages it applied to.
    std::size_t retry(const std::vector<MessageId>& ids);
    std::size_t remove(const std::vector<MessageId>& ids);
    /// What of it is in hand goes on as far as it is being sent; the rest is to be given back at once.
    std::size_t hold(const std::vector<MessageId>& ids);
    std::size_t release(const std::vector<MessageId>& ids);
    std::size_t bounce(const std::vector<MessageId>& ids, const std::string& reason);
    std::size_t move(const std::vector<MessageId>& ids, const std::string& route);  // "": by the rules
    /// Lays what memory knows better over views made from the spool.
    void overlay(std::vector<MessageView>& views) const;

    std::size_t active() const { return messages_.size(); }
    /// The number of the last change that was handed to the spool and is not known to be durable; 0 for none.
    std::uint64_t last_change() const { return uncommitted_.empty() ? 0 : uncommitted_.back().change; }
    const std::map<std::string, Time>& waiting() const { return earliest_; }
    std::set<std::string> routes() const;  // of all that waits or is in hand

private:
    void lay_memory_over(std::vector<MessageView>& views) const;
    void take_up(const QueuedPtr& message);
    void take_filed(const WaitEntry& entry, const std::string& route);
    void start_leg(const QueuedPtr& message, Queued::Leg leg);
    void end_leg(const QueuedPtr& message, const std::string& route);
    void apply(Queued& message, std::uint16_t recipient, const std::string& route, Outcome outcome, Time now,
               double spread);
    void record(const QueuedPtr& message, const std::string& route, Change change);
    void report(Queued& message, Change& change);
    std::string way(const Queued& message, std::size_t recipient) const;
    QueuedPtr take_over(MessageId id);
    void file(Queued& message, std::size_t recipient, const std::string& route, Time due, Change& change);
    template <typename Each>
    std::size_t operate(const std::vector<MessageId>& ids, Queued::Order order, const std::string& reason,
                        Each each);
    void obey(Queued& message, std::uint16_t recipient, Queued::Order order);
    void announce_delays(Time now);
    bool announce_delay(const QueuedPtr& message, Time now);
    void announce_deferral(const Queued& message, std::uint16_t recipient, const std::string& route,
                           Time next) const;
    void set_aside(const QueuedPtr& message, Change change);
    void wake(const std::string& route, Time due);
    void recover();
    void move_away(const std::string& route);
    void give_up_old(Time now);
    bool give_up(const QueuedPtr& message);
    QueuedPtr fetch(MessageId id, std::uint32_t volume);
    bool busy(MessageId id, const std::string& route) const;
    void forget(const QueuedPtr& message);

    Spool& spool_;
    SettingsPtr settings_;
    Observer& observer_;
    Hooks hooks_;
    std::unordered_map<std::uint64_t, QueuedPtr> messages_;
    std::map<std::string, Time> earliest_;           // of what waits in the spool, by route
    std::set<std::pair<Time, std::string>> agenda_;  // when to look at which route

    struct Uncommitted {
        std::uint64_t change;
        QueuedPtr message;
        std::string ended;           // route of the leg that is over with it, "" for none
        std::vector<WaitKey> filed;  // can be read back from now on
    };
    std::deque<Uncommitted> uncommitted_;

    struct Recovery {
        std::vector<std::uint32_t> volumes;  // still to be read
        MessageId after, until;
    };
    std::optional<Recovery> recovery_;
    std::set<std::string> obsolete_;  // routes that what waits is moved away from
    Time next_sweep_{}, next_delays_{};
    std::map<std::uint32_t, MessageId>
        looked_through_;  // by volume: for messages whose sender waits for news
    std::set<std::pair<MessageId, std::uint32_t>> look_again_;  // were in hand
    std::uint64_t held_bytes_ = 0;
    std::minstd_rand random_{std::random_device{}()};
};

}  // namespace postern::relay
