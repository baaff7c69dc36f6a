// What delivery knows of the hosts it hands mail to, and of the domains that lead there: plain data of one
// thread.
#pragma once

#include <asio/steady_timer.hpp>
#include <deque>
#include <list>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "relay/delivery/family_memory.h"
#include "relay/delivery/hungry.h"
#include "relay/delivery/line.h"
#include "relay/delivery/newcomers.h"
#include "relay/delivery/target.h"
#include "relay/delivery/window.h"
#include "relay/egress/pool.h"

namespace postern::relay {

/// A connection without work.
struct Rest {
    asio::steady_timer timer;
    bool woken = false;
    bool dismissed = false;  // its place is wanted by somebody else
};

/// What is ready for a site and leaves from one of our addresses.
struct Lane {
    Source source;
    Line ready;
    std::list<Rest*> idle;
    unsigned connections = 0, opening = 0;
};

/// What keeps mail from going somewhere, and until when nobody tries.
struct Obstacle {
    unsigned failures = 0;  // in a row
    bool down = false;      // until `next_try`
    Time next_try{};
    std::string trouble;  // in words, "" when all is well
};

/// An address that failed: comes last until then, longer each time.
struct Bad {
    Time until{};
    unsigned times = 0;
};

/// TLS that nobody demands and that a host offers but does not master: not used until then.
struct TlsFailure {
    Time until{};
    unsigned times = 0;  // in a row
    std::string why;
};

/// The hosts that one or more destinations lead to: what one connection limit, one pace and one trouble are
/// kept for (Targets::site).
struct Site {
    explicit Site(std::string name) : key(std::move(name)), window(1) {}

    std::string key, exchangers;
    std::string route;  // of the destination that was looked up last
    TlsWish wish = TlsWish::none;
    bool pooled = false;  // leaves from the egress pool: mail exchangers only
    std::vector<Target> targets;
    std::string origin;  // the settings they are from, of a gateway or primary: connections by others end
    Time looked_up{};
    std::map<std::string, Lane> lanes;  // by the source's address; they stay as long as the site does
    Window window;
    Pace pace;
    Obstacle obstacle;
    unsigned connections = 0, opening = 0;
    unsigned slowed = 0;  // times in a row that it asked for less and took nothing
    Time slowed_at{};
    std::size_t turn = 0;
    Time failed_at{};  // when the last failure was known: what was begun before is part of it
    FamilyMemory families{1};
    bool told_family = false;  // this site has said of one that it leads nowhere
    std::map<net::Endpoint, Bad> bad;
    Hungry hungry;           // routes that were told there is no room
    bool proven = false;     // it has taken a message: it may have a long line
    unsigned newcomers = 0;  // connections that are counted as such
    Newcomers::Where where;  // that they are counted for
    bool in_want = false;    // waits for others to close a connection
    Time alarmed{};          // when the next alarm is set for
    std::string told;        // the last fault against a policy that is being tested
    std::map<net::Endpoint, TlsFailure> tls_failed;
    std::set<net::Endpoint> tls_works;   // hosts that have answered in a transaction over TLS
    std::optional<std::string> cut_off;  // the sender at whose name the last session ended without a word

    std::size_t ready() const {
        std::size_t out = 0;
        for (const auto& [address, lane] : lanes) out += lane.ready.size();
        return out;
    }
    std::size_t idle() const {
        std::size_t out = 0;
        for (const auto& [address, lane] : lanes) out += lane.idle.size();
        return out;
    }
};
using SitePtr = std::shared_ptr<Site>;

/// A route, with what a message asks of TLS: which site it leads to, as far as that is known.
struct Destination {
    std::string route;
    TlsWish wish = TlsWish::none;
    SitePtr site;
    Time fresh_until{};         // the name servers' answer is believed
    Time known_at{};            // when there was one
    std::vector<Target> hosts;  // of it: to no other does this domain's mail go
    bool resolving = false;
    std::deque<Job> unresolved;
    Hungry hungry;      // as long as no site is known
    Obstacle obstacle;  // of the look-up
    Obstacle listed;    // none of our addresses may send there, though the site takes other mail
};
using DestinationPtr = std::shared_ptr<Destination>;

}  // namespace postern::relay
