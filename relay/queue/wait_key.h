// The places in line that the spool has: where a message waits that is not in hand.
#pragma once

#include <compare>
#include <cstdint>

#include "relay/mail/message.h"
#include "relay/mail/route_key.h"

namespace postern::relay {

/// Where a waiting message is filed: under its destination, by the time it is due.
struct WaitKey {
    RouteKey route;
    Time due{};
    auto operator<=>(const WaitKey&) const = default;
};

struct WaitEntry {
    MessageId id;
    Time due{};
};

}  // namespace postern::relay
