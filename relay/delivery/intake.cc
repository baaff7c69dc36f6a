#include "relay/delivery/intake.h"

#include "relay/delivery/reporter.h"
#include "relay/delivery/route.h"

namespace postern::relay {

RouteKey Intake::route(const Envelope& envelope, const Address& recipient) {
    RouteKey key = choose_route(*env_.settings, *directory_, envelope, recipient, env_.clock.wall()).key;
    const bool between = key.kind == RouteKey::Kind::primary && !envelope.bounce &&
                         !envelope.primary.empty() && key.name != envelope.primary;
    // Each pair once: that one gets the other's mail is what an administrator wants to know.
    if (between && between_.emplace(envelope.primary, key.name).second)
        env_.observer.on(event::BetweenPrimaries{envelope.primary, key.name, recipient.domain});
    return key;
}

bool Intake::exists(const RouteKey& route) const { return route_exists(*env_.settings, route); }

std::string Intake::trouble(const RouteKey& route) const {
    auto obstacle = room_.blocked(route);
    return obstacle ? obstacle->trouble : std::string();
}

Time Intake::next_try(const RouteKey& route) const {
    auto obstacle = room_.blocked(route);
    return obstacle ? obstacle->next_try : env_.clock.steady();
}

StoredPtr Intake::report(const Stored& stored, const Progress& progress,
                         const std::vector<Notice>& notices) const {
    return report_on(env_.clock, env_.spool, env_.settings, stored, progress, notices);
}

}  // namespace postern::relay
