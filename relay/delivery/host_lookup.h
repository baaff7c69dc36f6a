// From the names of exchangers to addresses that may be connected to, several side by side.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "relay/delivery/target.h"
#include "relay/security/transport.h"

namespace postern::relay {

/// A host that is looked up, and what is known of it before.
struct HostWanted {
    Exchanger exchanger;
    std::uint16_t port = 25;
    std::uint16_t preference = 0;
    HostPolicy base;
    StsKnown sts;
    TlsWish wish = TlsWish::none;
};

struct HostFound {
    std::vector<Target> targets;
    Reply trouble;         // why there are none, as in Targets; no status where there are some
    bool self = false;     // it is this gateway
    bool barred = false;   // a policy bars it
    HostPolicyPtr bar{};   // which
    bool ignored = false;  // it has addresses, but none that mail may be led to
};

/// What the hosts have come to, in their order. As soon as one can be used the others are waited for only a
/// few seconds, then they count as not found for now.
net::awaitable<std::vector<HostFound>> look_up_hosts(Surroundings around, std::vector<HostWanted> hosts);

}  // namespace postern::relay
