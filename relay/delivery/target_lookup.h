// From a destination to the addresses its mail can be handed to, in the order they are tried (RFC 5321 §5.1),
// and how each must be secured.
#pragma once

#include "relay/delivery/target.h"
#include "relay/mail/route_key.h"
#include "relay/net/asio.h"

namespace postern::relay {

net::awaitable<Targets> find_targets(Surroundings around, RouteKey route, TlsWish wish);

}  // namespace postern::relay
