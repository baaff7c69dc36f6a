// Gets the MTA-STS policies of other domains over HTTPS (RFC 8461 §3.3), many at once.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "relay/net/addresses.h"
#include "relay/net/https.h"
#include "relay/net/outside.h"
#include "relay/settings.h"

namespace postern::relay {

/// What has become of a question for a policy. Only `failed` is the receiver's doing, so that RFC 8461 §5
/// lets mail go without; `not_made` is never an answer.
struct StsFetched {
    net::Asked asked = net::Asked::not_made;
    std::string body;        // when answered, what may be a policy: not empty, of at most 64 KiB
    std::string why;         // in words, when not
    bool untrusted = false;  // since its certificate proves nothing
};

struct StsFetchLimits {
    std::size_t at_once = 100;
    std::size_t each = 8;  // to one network: IPv4 /24, IPv6 /48
    /// That wait for their turn. One network takes as much of it as it leaves free, and networks take turns:
    /// whoever has many hosts that say nothing takes the places of his own network.
    std::size_t line = 1'000;
    std::uint16_t port = 443;
    net::Milliseconds connect{5'000};  // to one address
    net::Milliseconds total{12'000};   // for one policy, once it is its turn
};

/// Used from the thread of its io_context.
class StsFetch {
public:
    StsFetch(net::io_context& io, const base::Clock& clock, net::Outside& outside,
             StsFetchLimits limits = {});

    /// For what begins from now on: whom certificates are trusted by, and where no name of others leads.
    void terms(net::TlsContext tls, std::vector<Network> ignored, std::shared_ptr<OwnAddresses> own);

    /// https://mta-sts.DOMAIN/.well-known/mta-sts.txt, from the first of `addresses` that can be connected
    /// to. It goes on although this object is gone.
    net::awaitable<StsFetched> get(std::string domain, std::vector<asio::ip::address> addresses);

private:
    struct Impl;
    std::shared_ptr<Impl> impl_;
};

}  // namespace postern::relay
