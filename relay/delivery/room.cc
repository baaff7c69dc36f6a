#include "relay/delivery/room.h"

#include <algorithm>

#include "relay/delivery/route.h"

namespace postern::relay {

namespace {

constexpr std::size_t ready_max = 2'000;    // jobs per site in memory
constexpr std::size_t ready_unproven = 50;  // as long as it has not taken a message
constexpr std::size_t share = 20;           // jobs of a route that come in even when the site has enough

}  // namespace

std::size_t Room::of(const RouteKey& route) const {
    // The queue finds that out, and moves what waits there.
    if (!route_exists(*env_.settings, route)) return ready_max;
    std::size_t out = 0;
    for (const auto& way : ways_of(*env_.settings, route)) out += at(way);
    return out;
}

std::size_t Room::of_or_call(const RouteKey& route) {
    if (std::size_t out = of(route); out > 0) return out;
    for (const auto& way : ways_of(*env_.settings, route))
        if (Destination* one = destinations_.find(way))
            (one->site ? one->site->routes_without_room : one->routes_without_room).add(route);
    return 0;
}

std::size_t Room::at(const RouteKey& way) const {
    if (env_.stopping || env_.spool.stuck()) return 0;
    const Destination* known = destinations_.find(way);
    if (known == nullptr) return ready_unproven;
    if (known->obstacle.down || known->listed.down) return 0;
    std::size_t taken = known->unresolved.size();
    std::size_t limit = known->site && known->site->proven() ? ready_max : ready_unproven;
    // After a failure one message finds out whether it is over.
    bool probing = known->obstacle.failures > 0 || known->listed.failures > 0;
    if (known->site) {
        if (known->site->obstacle().down) return 0;
        probing = probing || known->site->obstacle().failures > 0;
        taken += known->site->queues.ready();
    }
    if (probing) return 1 - std::min<std::size_t>(1, taken);
    if (taken < limit) return limit - taken;
    // A domain with little mail does not wait outside for one with much.
    std::size_t own = queue_.in_hand(way);
    return limit == ready_max && taken < 2 * ready_max && own < share ? share - own : 0;
}

std::optional<Room::Blocked> Room::blocked(const RouteKey& route) const {
    std::optional<Blocked> out;
    for (const auto& way : ways_of(*env_.settings, route)) {
        const Destination* known = destinations_.find(way);
        const Obstacle* obstacle = nullptr;
        if (known != nullptr && known->obstacle.down) obstacle = &known->obstacle;
        if (known != nullptr && known->listed.down) obstacle = &known->listed;
        if (known != nullptr && obstacle == nullptr && known->site && known->site->obstacle().down)
            obstacle = &known->site->obstacle();
        if (obstacle == nullptr) return std::nullopt;
        if (!out || obstacle->next_try < out->next_try) out = Blocked{obstacle->trouble, obstacle->next_try};
    }
    return out;
}

RouteKey Room::next_way(const RouteKey& route) {
    if (route != RouteKey::gateways()) return route;
    auto all = ways_of(*env_.settings, route);
    for (std::size_t step = 0; step < all.size(); ++step) {
        std::size_t turn = (turn_ + step) % all.size();
        if (at(all[turn]) == 0) continue;
        turn_ = turn + 1;
        return all[turn];
    }
    return all.empty() ? RouteKey() : all.front();
}

}  // namespace postern::relay
