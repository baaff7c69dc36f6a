// From a destination to the addresses its mail can be handed to, in the order they are tried (RFC 5321 §5.1).
#pragma once

#include <string>
#include <vector>

#include "relay/mail/reply.h"
#include "relay/net/asio.h"
#include "relay/net/resolver.h"
#include "relay/settings.h"

namespace postern::relay {

struct Target {
    std::string host;  // as in MX or configuration
    net::Endpoint endpoint;
    ClientTls tls = ClientTls::opportunistic;

    std::string text() const;  // host[address]:port
};

struct Targets {
    std::vector<Target> list;  // at most 40; empty when there is nowhere to go
    /// Why the list is empty: a permanent (class 5) or transient (class 4) status with a text, code 0.
    Reply trouble;
};

/// `key` as in Route::key.
net::awaitable<Targets> find_targets(net::Resolver& resolver, SettingsPtr settings, std::string key);

}  // namespace postern::relay
