// A connection to one of a site's hosts, from one of our addresses: which, in which order.
#pragma once

#include <memory>

#include "relay/delivery/client.h"
#include "relay/delivery/site.h"
#include "relay/delivery/workplace.h"
#include "relay/net/asio.h"

namespace postern::relay {

/// Why there is none.
struct ConnectFailure {
    enum class Kind : std::uint8_t {
        dropped,       // nobody wants one any more: a stop, other settings
        other_source,  // what is in line is better sent from another address
        hosts,         // none of the hosts took it
    };
    Kind kind = Kind::dropped;
    Time begun{};
    Outcome why;    // of `hosts`: of the one that was tried last
    Reply refused;  // what one of them said that refused us for good; code 0 for none
    bool all_refused = true, for_good = false;  // each of them did; and takes no mail of ours, whatever it is
};

/// Tries the site's hosts in turn, waits while it is us who are short of something, and learns from what they
/// say. Null with `failure` set. Throws what is nobody's word.
net::awaitable<std::unique_ptr<Client>> connect(Workplace& at, SitePtr site, SourceQueue& from,
                                                ConnectFailure& failure);
/// One to another host than `asked`, null for none.
net::awaitable<std::unique_ptr<Client>> connect_elsewhere(Workplace& at, SitePtr site, SourceQueue& from,
                                                          net::Endpoint asked);

}  // namespace postern::relay
