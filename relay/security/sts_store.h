// The MTA-STS policies of the domains we send to: looked up, fetched, cached, kept over restarts.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "relay/mail/message.h"
#include "relay/net/resolver.h"
#include "relay/security/mta_sts.h"

namespace postern::relay {

/// Used from the thread of its io_context.
class StsStore {
public:
    using Fetch = std::function<void(const std::string& domain, const std::vector<std::string>& addresses,
                                     std::function<void(std::string body, std::string fault)> done)>;

    /// `state` is what save() gave, "" at the first start.
    StsStore(net::io_context& io, std::string_view state);

    /// `fetch` may call back on any thread; without one no policy is got.
    void fetch_with(Fetch fetch) { fetch_ = std::move(fetch); }

    struct Known {
        std::optional<StsPolicy> policy;  // none: the domain has none, or none that can be had
        std::string why;                  // in words: "fetched 2 hours ago", "cannot be fetched: …"
    };
    /// The policy in force for a recipient domain. A cached one that has not expired is used at once, and
    /// checked anew (TXT id, then the policy) at most every hour, without anyone waiting for it. Without one
    /// the TXT record is asked and the policy fetched, for which deliveries wait at most a minute; questions
    /// about one domain are asked once however many wait. A failed fetch is not repeated for five minutes; a
    /// policy that is older than its max_age and cannot be fetched again is none (RFC 8461 §5.1).
    net::awaitable<Known> find(net::Resolver& resolver, std::string domain);

    std::string save() const;  // at most 10,000 domains, those that expire first go first
    bool changed() const;      // since the last save()

private:
    // the helper's
    Fetch fetch_;
};

}  // namespace postern::relay
