// The MTA-STS policies of the domains we send to: looked up, fetched, cached, kept over restarts.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "relay/mail/message.h"
#include "relay/net/resolver.h"
#include "relay/security/mta_sts.h"
#include "relay/security/sts_fetch.h"
#include "sync/base/clock.h"

namespace postern::relay {

/// Used from the thread of its io_context, which outlives it.
class StsStore {
public:
    using Fetch = std::function<net::awaitable<StsFetched>(std::string domain,
                                                           std::vector<asio::ip::address> addresses)>;

    /// `state` is what save() gave, "" at the first start. Policies age by the wall, pauses pass by the
    /// steady time. Of so many domains something is known at most: when they are more, those without a policy
    /// in force go first, the longest unasked of them, and then those whose policy expires first.
    StsStore(net::io_context& io, const base::Clock& clock, std::string_view state,
             std::size_t domains_max = 20'000);
    ~StsStore();  // whoever waits in find() goes on, unsure
    StsStore(const StsStore&) = delete;
    StsStore& operator=(const StsStore&) = delete;

    /// How a policy is got, not called once this object is gone.
    void fetch_with(Fetch fetch);

    /// The policy in force for a recipient domain. A cached one that has not expired is used at once, and
    /// checked anew (TXT id, then the policy) at most every hour, without anyone waiting for it; after a day,
    /// or half of a shorter max_age, it is fetched again even if the id is the same (RFC 8461 §10.2). Without
    /// one the TXT record is asked and the policy fetched, for which deliveries wait at most a minute;
    /// questions about one domain are asked once however many wait.
    ///
    /// There is none for the next five minutes where the TXT record says so, where the policy host was asked
    /// and gave none (RFC 8461 §3.3), and where a policy older than its max_age is not got again (§5.1). It
    /// is unsure, and asked again when next wanted, while that takes longer than anybody waits; where the
    /// fetch was not made for want of something of ours; and where names cannot be looked up or no network
    /// leads to the policy host. A domain whose TXT record said within the last day that there is none is
    /// taken at that word: name servers that are away stop no mail (RFC 8767).
    ///
    /// Names that cannot be looked up and hosts that no network leads to are taken for none once that has
    /// gone on for four hours; what is ours never is. RFC 8461 §3.3 lets mail go at once there, and a domain
    /// whose name servers fail at each question of this kind must get its mail. Whoever can drop our DNS
    /// answers, or the connections to the policy host, at the first contact with a domain hides its policy
    /// from any sender (§10.2); here he has to keep that up for four hours, in which the log says why mail
    /// waits, and against a policy that was once seen, until it expires.
    net::awaitable<StsKnown> find(net::Resolver& resolver, std::string domain);

    std::string save() const;  // at most 10,000 domains, those that expire first go first
    bool changed() const;      // since the last save()

private:
    struct Impl;
    std::shared_ptr<Impl> impl_;
};

}  // namespace postern::relay
