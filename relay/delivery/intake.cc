#include "relay/delivery/intake.h"

#include <string_view>

#include "relay/delivery/reporter.h"
#include "relay/delivery/route.h"
#include "sync/base/clock.h"

namespace postern::relay {

std::string Intake::route(const Envelope& envelope, const Address& recipient) {
    constexpr std::string_view primary = "primary:";
    std::string key = choose_route(*env_.settings, *directory_, envelope, recipient, base::wall_now()).key;
    if (envelope.bounce || envelope.primary.empty() || !key.starts_with(primary)) return key;
    // Each pair once: that one gets the other's mail is what an administrator wants to know.
    std::string to = key.substr(primary.size());
    if (to != envelope.primary && between_.emplace(envelope.primary, to).second)
        env_.observer.on(event::BetweenPrimaries{envelope.primary, to, recipient.domain});
    return key;
}

bool Intake::exists(const std::string& route) const { return route_exists(*env_.settings, route); }

std::string Intake::trouble(const std::string& route) const {
    auto obstacle = room_.blocked(route);
    return obstacle ? obstacle->trouble : std::string();
}

Time Intake::next_try(const std::string& route) const {
    auto obstacle = room_.blocked(route);
    return obstacle ? obstacle->next_try : base::steady_now();
}

StoredPtr Intake::report(const Stored& stored, const Progress& progress,
                         const std::vector<Notice>& notices) const {
    return report_on(env_.spool, env_.settings, stored, progress, notices);
}

}  // namespace postern::relay
