// A route, with what a message asks of TLS, and the site it leads to as far as that is known.
#pragma once

#include <deque>
#include <memory>
#include <string>
#include <vector>

#include "relay/delivery/routes_without_room.h"
#include "relay/delivery/site.h"
#include "relay/delivery/target.h"
#include "relay/queue/job.h"

namespace postern::relay {

/// Plain data, made and forgotten by Destinations.
struct Destination {
    RouteKey route;
    TlsWish wish = TlsWish::none;
    SitePtr site;
    Time fresh_until{};         // the name servers' answer is believed
    Time known_at{};            // when there was one
    std::vector<Target> hosts;  // of it: to no other does this domain's mail go
    bool resolving = false;
    std::deque<Job> unresolved;
    RoutesWithoutRoom routes_without_room;  // as long as no site is known
    Obstacle obstacle;                      // of the look-up
    Obstacle listed;  // none of our addresses may send there, though the site takes other mail
};
using DestinationPtr = std::shared_ptr<Destination>;

}  // namespace postern::relay
