// What would become of a message, as far as settings and directory know it.
#pragma once

#include <functional>
#include <optional>
#include <string>

#include "relay/mail/message.h"
#include "relay/mail/route_key.h"
#include "relay/reception/acceptance.h"
#include "relay/views.h"
#include "relay/volume/tally.h"

namespace postern::relay {

/// What a message is explained by: the same that a session judges it by.
struct Grounds {
    const Settings& settings;
    const sync::Snapshot& directory;
    const Srs* srs;  // null where foreign senders are not rewritten
    /// The refusal of a sender that has used up what it may; empty: there are no limits.
    std::function<std::optional<Decision>(const VolumeSender&)> beyond{};
};

struct Explained {
    Explanation so_far;
    /// Where it goes, when it is taken; what is looked up on the way there is delivery's to say.
    struct Onward {
        Envelope envelope;
        RouteKey route;
    };
    std::optional<Onward> onward;
};

/// `client` is the address it comes from; "" for the first primary's. Pure.
Explained explain(const Grounds& grounds, const std::string& from, const std::string& to,
                  const std::string& client, Time now);

}  // namespace postern::relay
