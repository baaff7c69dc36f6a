// How much mail a route takes at present, and what holds it up.
#pragma once

#include <cstddef>
#include <optional>
#include <string>

#include "relay/delivery/destinations.h"
#include "relay/delivery/environment.h"
#include "relay/queue/queue.h"

namespace postern::relay {

/// On the delivery loop.
class Room {
public:
    Room(Environment& env, Destinations& destinations, const Queue& queue)
        : env_(env), destinations_(destinations), queue_(queue) {}

    /// How many jobs; 0 when it is down or has enough.
    std::size_t of(const RouteKey& route) const;
    /// The same, and without room the route is called as soon as that may have changed
    /// (Dispatch::call_routes()).
    std::size_t of_or_call(const RouteKey& route);
    /// What holds it up, with the earliest time to try: nothing as long as one of its ways is open.
    struct Blocked {
        std::string trouble;
        Time next_try{};
    };
    std::optional<Blocked> blocked(const RouteKey& route) const;
    /// The way for the next job of a route, in turn; empty when the configuration has none. Where none
    /// has room the job stands in line at the first.
    RouteKey next_way(const RouteKey& route);

private:
    std::size_t at(const RouteKey& way) const;

    Environment& env_;
    Destinations& destinations_;
    const Queue& queue_;
    std::size_t turn_ = 0;  // of the round-robin gateways
};

}  // namespace postern::relay
