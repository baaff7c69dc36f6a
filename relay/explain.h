// What would become of a message, as far as settings and directory know it.
#pragma once

#include <optional>
#include <string>

#include "relay/mail/message.h"
#include "relay/mail/route_key.h"
#include "relay/reception/acceptance.h"
#include "relay/views.h"

namespace postern::relay {

/// What a message is explained by: the same that a session judges it by.
struct Grounds {
    const Settings& settings;
    const sync::Snapshot& directory;
    const Srs* srs;  // null where foreign senders are not rewritten
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
