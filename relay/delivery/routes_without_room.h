// Routes that were told there is no room, in the order in which they are called when there is.
#pragma once

#include <deque>
#include <unordered_set>
#include <utility>

#include "relay/mail/route_key.h"

namespace postern::relay {

/// Whoever is called and wants more stands at the end again: nobody is passed over for his name or his mass.
class RoutesWithoutRoom {
public:
    void add(const RouteKey& route) {
        if (known_.insert(route).second) line_.push_back(route);
    }
    bool empty() const { return line_.empty(); }
    std::size_t size() const { return line_.size(); }
    RouteKey take() {
        RouteKey out = std::move(line_.front());
        line_.pop_front();
        known_.erase(out);
        return out;
    }

private:
    std::deque<RouteKey> line_;
    std::unordered_set<RouteKey> known_;
};

}  // namespace postern::relay
