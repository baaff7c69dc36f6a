// What delivery tells about itself, and what it would do with a message.
#pragma once

#include <cstddef>
#include <vector>

#include "relay/delivery/workplace.h"
#include "relay/mail/message.h"
#include "relay/mail/route_key.h"
#include "relay/net/asio.h"
#include "relay/views.h"

namespace postern::relay {

/// Those in trouble first, then those that something happens at, at most `limit`.
std::vector<DestinationView> destination_views(const Workplace& at, std::size_t limit);
std::vector<GatewayView> gateway_views(const Workplace& at);
/// Fills in what is known only here: hosts, TLS, egress, limits.
net::awaitable<Explanation> explain_delivery(const Workplace& at, Explanation begun, RouteKey route,
                                             Envelope envelope);

}  // namespace postern::relay
