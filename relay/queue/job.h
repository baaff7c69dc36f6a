// What goes from the queue to whoever delivers it, and what comes back.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <unordered_map>
#include <vector>

#include "relay/mail/reply.h"
#include "relay/mail/stage.h"
#include "relay/queue/record.h"
#include "relay/queue/stored.h"
#include "relay/queue/wait_key.h"

namespace postern::relay {

/// What is to be written down of a message besides its progress.
struct Unwritten {
    std::vector<WaitKey> filed;  // where some of it waits now: it can be read back there once that is written
    StoredPtr bounce;
};

/// A message that is being worked on. Its Progress here is ahead of the spool's by what is not yet committed.
/// Each of its pending recipients has a place: in a leg, or filed in the spool under a route and a time.
struct Queued {
    StoredPtr stored;
    Progress progress;
    bool fresh = false;    // filed nowhere else yet
    bool removed = false;  // taken out while in hand: nothing of it is sent any more
    bool ordered = false;  // an operator wants something else with what is in hand (RecipientProgress::order)
    unsigned uncommitted = 0;   // changes on their way to the disk
    std::vector<bool> sending;  // by recipient: a transaction with it is going on; empty while there is none

    /// The recipients that go one way, from the time they are taken up until what came of it is committed.
    struct Leg {
        std::vector<std::uint16_t> recipients;
        unsigned open_jobs = 0;
        bool filed = false;        // it waited in the spool
        Time due = Time::max();    // when what is left of it is tried again; not theirs until it is filed so
        bool ended = false;        // only what came of it is still to be written down
        std::uint64_t change = 0;  // the change that does so, once it has a number
    };
    std::map<RouteKey, Leg> legs;  // by route
    std::size_t open_legs = 0;     // that have not ended
    Unwritten unwritten;           // what the next change of it says besides its progress
    bool put_off = false;          // that change waits for company

    bool halted() const { return removed || ordered; }

    /// From now on the recipient waits there.
    void wait_at(std::size_t recipient, const RouteKey& route);
    /// The pending recipients that wait there, in order. What it takes grows with their number alone.
    std::vector<std::uint16_t> waiting_at(const RouteKey& route);

private:
    /// By route, who waits there, and some who do so no more; made when it is first asked for.
    std::optional<std::unordered_map<RouteKey, std::vector<std::uint16_t>>> waiting_;
};
using QueuedPtr = std::shared_ptr<Queued>;

/// One transaction's worth: recipients of one message that go to one destination.
struct Job {
    QueuedPtr message;
    RouteKey route;
    std::vector<std::uint16_t> recipients;  // indexes into Envelope::forward_paths
    bool not_first = false;                 // another job of the same message was offered earlier: see Line
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
    Reply reply;         // the remote server's, code 0 when there was none
    std::string reason;  // in words, when there was no reply
    Stage stage = Stage::none;
    std::string host, tls;     // tls: what was wanted and what was reached
    std::string egress;        // our address
    std::string signed_by;     // names of the DKIM keys, with spaces between
    bool relayed = false;      // delivered to a host that reports nothing itself
    bool destination = false;  // the fault is the destination's: tried again as soon as that works
    bool ours = false;         // the trouble is ours and passes: tried again soon, never given up for it
    bool attempted = true;     // false: not even tried, because the destination was known to be down
};

/// Something the sender is to be told about a recipient.
struct Notice {
    enum class Kind : std::uint8_t { failed, delayed, relayed };
    std::uint16_t recipient = 0;
    Kind kind = Kind::failed;
};

}  // namespace postern::relay
