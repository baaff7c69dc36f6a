// The MTA-STS policies of the domains we send to: looked up, fetched, cached, kept over restarts.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "relay/mail/message.h"
#include "relay/net/resolver.h"
#include "relay/security/mta_sts.h"

namespace postern::relay {

/// Used from the thread of its io_context, which outlives it.
class StsStore {
public:
    using Fetch = std::function<void(const std::string& domain, const std::vector<std::string>& addresses,
                                     std::function<void(std::string body, std::string fault)> done)>;
    using Now = std::function<Time()>;

    /// `state` is what save() gave, "" at the first start. `now` is the clock.
    StsStore(net::io_context& io, std::string_view state, Now now = std::chrono::system_clock::now);
    ~StsStore();  // whoever waits in find() goes on without a policy
    StsStore(const StsStore&) = delete;
    StsStore& operator=(const StsStore&) = delete;

    /// `fetch` may call back on any thread, also after this object is gone; without one no policy is got.
    void fetch_with(Fetch fetch);

    struct Known {
        std::optional<StsPolicy> policy;  // none: the domain has none, or none that can be had
        std::string why;                  // in words: "fetched 2 hours ago", "cannot be fetched: …"
    };
    /// The policy in force for a recipient domain. A cached one that has not expired is used at once, and
    /// checked anew (TXT id, then the policy) at most every hour, without anyone waiting for it; after a day,
    /// or half of a shorter max_age, it is fetched again even if the id is the same (RFC 8461 §10.2). Without
    /// one the TXT record is asked and the policy fetched, for which deliveries wait at most a minute;
    /// questions about one domain are asked once however many wait. What could not be had, or does not exist,
    /// is not asked for again for five minutes; a policy that is older than its max_age and cannot be fetched
    /// again is none (RFC 8461 §5.1).
    net::awaitable<Known> find(net::Resolver& resolver, std::string domain);

    std::string save() const;  // at most 10,000 domains, those that expire first go first
    bool changed() const;      // since the last save()

private:
    struct Impl;
    std::shared_ptr<Impl> impl_;
};

}  // namespace postern::relay
