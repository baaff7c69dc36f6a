#include "relay/delivery/tls_sessions.h"

#include <algorithm>

#include "relay/delivery/destinations.h"
#include "relay/tls_reports/tls_reports.h"

namespace postern::relay {

namespace {

constexpr std::size_t domains_max = 100;

/// What the domain's own mail to the host is held to, which others on the same connection may not be. Null
/// where nothing is reported: what is configured as a next hop, and mail that TLS does not matter for.
const HostPolicy* policy_of(const Workplace& at, const Site& site, const Target& target, const Job& job) {
    const TlsWish wish = tls_wish(job.message->stored->message.envelope);
    if (job.route.kind != RouteKey::Kind::exchangers || wish == TlsWish::optional) return nullptr;
    const Destination* to = at.destinations.find(at.destinations.way_of(site, job), wish);
    if (to == nullptr) return nullptr;
    const auto found = std::find_if(to->hosts.begin(), to->hosts.end(), [&](const Target& one) {
        return one.host == target.host && one.endpoint == target.endpoint;
    });
    return found == to->hosts.end() ? nullptr : found->policy.get();
}

}  // namespace

void TlsSessions::carries(const Site& site, const Client& client, const Job& job) {
    if (!at_.tls_reports.wanted() || counted_.contains(job.route.name)) return;
    const HostPolicy* policy = policy_of(at_, site, client.target(), job);
    if (policy == nullptr) return;
    if (counted_.size() >= domains_max) counted_.clear();
    counted_.insert(job.route.name);
    at_.tls_reports.count(job.route.name, *policy, client.tls_session());
}

void count_failed_session(Workplace& at, const Site& site, const SourceQueue& from, const Target& target,
                          const Refusal& refusal) {
    if (!at.tls_reports.wanted() || !refusal.tls || refusal.ours) return;
    for (const Job* job : from.ready.first_of_each(domains_max))
        if (const HostPolicy* policy = policy_of(at, site, target, *job))
            at.tls_reports.count(job->route.name, *policy, *refusal.tls);
}

}  // namespace postern::relay
