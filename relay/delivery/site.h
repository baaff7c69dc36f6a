// What delivery knows of the hosts it hands mail to: their lines, their connections, their troubles.
#pragma once

#include <algorithm>
#include <cstdint>
#include <functional>
#include <list>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "relay/delivery/flow.h"
#include "relay/delivery/host_memory.h"
#include "relay/delivery/line.h"
#include "relay/delivery/newcomers.h"
#include "relay/delivery/routes_without_room.h"
#include "relay/delivery/target.h"
#include "relay/egress/pool.h"
#include "relay/net/timer.h"

namespace postern::relay {

class ConnectionSlot;

/// A connection without work. Lives in the frame of Courier::rest(), and is in the list of its source queue
/// until it is woken.
struct IdleConnection {
    net::Timer timer;
    bool woken = false;
    bool dismissed = false;  // its place is wanted by somebody else
};

/// Jobs for one site that leave from one of our addresses, and the connections opened for them. Lives as long
/// as its Site.
class SourceQueue {
public:
    explicit SourceQueue(Source from) : source(std::move(from)) {}

    Source source;
    Line ready;
    std::list<IdleConnection*> idle;

    unsigned connections() const { return connections_; }
    unsigned opening() const { return opening_; }
    bool wake_one();  // false when none is idle

private:
    friend ConnectionSlot;
    unsigned connections_ = 0, opening_ = 0;
};

/// All source queues of a site. They take turns.
class SourceQueues {
public:
    SourceQueue& of(const Source& source);  // made when there is none
    std::map<std::string, SourceQueue>& all() { return queues_; }
    const std::map<std::string, SourceQueue>& all() const { return queues_; }
    /// Asks them, from the one whose turn it is, until one is served or `serve` stops it.
    enum class Turn : std::uint8_t { pass, served, stop };
    void in_turn(const std::function<Turn(SourceQueue&)>& serve);
    std::vector<Job> drain();
    std::size_t ready() const;
    std::size_t idle() const;

private:
    std::map<std::string, SourceQueue> queues_;  // by the source's address
    std::size_t turn_ = 0;
};

/// What keeps mail from going somewhere, and until when nobody tries.
struct Obstacle {
    unsigned failures = 0;  // in a row
    bool down = false;      // until `next_try`
    Time next_try{};
    std::string trouble;  // in words, "" when all is well
};

/// What the last look-up gave, of one of the routes that lead to a site.
struct Hosts {
    std::string exchangers;
    RouteKey route;
    TlsWish wish = TlsWish::none;
    bool pooled = false;  // mail leaves from the egress pool: mail exchangers only
    std::vector<Target> targets;
    std::string origin;  // the settings they are from, of a gateway or primary: connections by others end
    Time looked_up{};
};

/// How Connections counts a site's connections, which alone changes this.
struct Standing {
    unsigned newcomers = 0;  // connections that are counted as such
    Newcomers::Where where;  // that they are counted for
    bool waits = false;      // for others to close a connection
};

/// The hosts that one or more destinations lead to: what one connection limit, one pace and one trouble are
/// kept for (Targets::site).
///
/// Life: Destinations makes it for the first route that leads there. Couriers, and whoever waits for one of
/// its connections, hold it; Destinations forgets it when nobody does, nothing stands in line, it has no
/// connection and is in no trouble. Source queues stay as long as their site does.
///
/// Always: opening <= connections; both are counted at the source queues, by ConnectionSlot alone. A slot is
/// taken only while has_room(); the limit may fall below what stands, which then is not replaced. While the
/// obstacle is `down` nothing is opened, and an alarm is set for its end.
class Site {
public:
    explicit Site(std::string name) : key(std::move(name)) {}

    const std::string key;
    SourceQueues queues;
    Flow flow;
    HostMemory memory;
    RoutesWithoutRoom routes_without_room;  // that were told so
    Standing standing;
    Time alarmed{};  // when the next alarm is set for: kept by Alarms

    /// `most` connections, and `messages_per_minute`: its limits. `hosts` has at least one target.
    void adopt(Hosts hosts, unsigned most, unsigned messages_per_minute);
    /// The settings have changed, and have `origin` for it: it is looked up again before anything is opened.
    /// Neither the mail nor a new password goes to what was a gateway before.
    void distrust(std::string origin);
    void believe(Time now) { hosts_.looked_up = now; }  // the last look-up again, when there is none
    const Hosts& hosts() const { return hosts_; }
    /// When it was looked up, or found to fail, last.
    Time last_seen() const { return std::max(hosts_.looked_up, failed_at_); }

    unsigned connections() const;  // also those that are still opening
    unsigned opening() const;
    unsigned established() const { return connections() - opening(); }
    bool has_room() const { return connections() < (obstacle_.failures > 0 ? 1 : flow.window.size()); }
    /// It has all the connections it may, and something in line that none of them is for.
    bool queue_starves() const;

    /// Nothing good is known of it, or it is in trouble.
    bool doubtful() const { return !proven_ || obstacle_.failures > 0; }
    bool proven() const { return proven_; }  // it has taken part in a transaction: it may have a long line
    const Obstacle& obstacle() const { return obstacle_; }
    /// A transaction went well. True when that was in doubt.
    bool record_success();
    /// Something failed that was begun at `begun`, while `others` connections stood. Says what it was: a part
    /// of a failure that is known, a wish for fewer connections, or the site's trouble, for which put_down()
    /// is due.
    enum class Failure : std::uint8_t { known, fewer, trouble };
    Failure record_failure(unsigned others, Time begun, Time now);
    void put_down(std::string why, Time until);
    void retry_at(Time time) { obstacle_.next_try = time; }
    bool end_pause() { return std::exchange(obstacle_.down, false); }  // the next one finds out
    void forget_trouble() { obstacle_ = {}; }

private:
    Hosts hosts_;
    Obstacle obstacle_;
    Time failed_at_{};  // when the last failure was known: what was begun before is part of it
    bool proven_ = false;
};
using SitePtr = std::shared_ptr<Site>;

}  // namespace postern::relay
