#include "relay/security/transport.h"

#include "relay/security/dane.h"

namespace postern::relay {

namespace {

PolicyFault fault_of(StsFault fault) {
    switch (fault) {
        case StsFault::none: break;
        case StsFault::not_fetched: return PolicyFault::sts_not_fetched;
        case StsFault::invalid: return PolicyFault::sts_invalid;
        case StsFault::not_trusted: return PolicyFault::sts_not_trusted;
    }
    return PolicyFault::none;
}

HostPolicy sts_policy(HostPolicy base, const Exchanger& exchanger, const StsKnown& sts) {
    const std::string policy = "MTA-STS of " + exchanger.domain;
    base.fault = fault_of(sts.fault);
    if (sts.unsure) {
        base.tls = ClientTls::verify;
        base.origin = policy;
        base.names = {exchanger.host};
        base.barred = "the MTA-STS policy of " + exchanger.domain + " is not known: " + sts.why;
        return base;
    }
    if (!sts.policy) return base;
    const bool listed = sts_allows(*sts.policy, exchanger.host);
    if (sts.policy->mode != StsPolicy::Mode::none) {
        base.sts = sts.policy;
        if (!listed) base.fault = PolicyFault::sts_not_listed;
    }
    switch (sts.policy->mode) {
        case StsPolicy::Mode::none: return base;
        case StsPolicy::Mode::testing:
            base.testing = true;
            base.origin = policy + ", testing";
            if (!listed) base.would_bar = exchanger.host + " is not in the " + policy;
            base.names = {exchanger.host};
            return base;
        case StsPolicy::Mode::enforce: break;
    }
    base.tls = ClientTls::verify;
    base.origin = policy;
    base.names = {exchanger.host};
    if (!listed) base.barred = exchanger.host + " is not in the MTA-STS policy of " + exchanger.domain;
    return base;
}

/// "" or why TLS policy "dane" cannot be kept.
std::string unproven(const Exchanger& exchanger, const net::AddressAnswer& addresses,
                     const std::optional<net::TlsaAnswer>& tlsa) {
    if (!exchanger.mx_secure) return "the MX records of " + exchanger.domain + " are not proven by DNSSEC";
    if (!addresses.secure && !addresses.alias_secure)
        return "the addresses of " + exchanger.host + " are not proven by DNSSEC";
    if (!tlsa || tlsa->status != net::Lookup::found) return exchanger.host + " has no TLSA records";
    if (!tlsa->secure) return "the TLSA records of " + exchanger.host + " are not proven by DNSSEC";
    return "none of the TLSA records of " + exchanger.host + " can be used";
}

}  // namespace

HostPolicy configured_policy(const Settings& settings, const std::string& domain) {
    HostPolicy policy;
    policy.tls = settings.delivery.tls;
    policy.origin = "delivery.tls";
    for (const auto& destination : settings.destinations)
        if (destination.domain == domain && destination.tls) {
            policy.tls = *destination.tls;
            policy.origin = "destination " + domain;
            break;
        }
    return policy;
}

bool wants_sts(const HostPolicy& configured, const DeliverySettings& delivery) {
    return configured.tls == ClientTls::opportunistic && delivery.mta_sts;
}

bool wants_dane(const HostPolicy& configured, const DeliverySettings& delivery) {
    return configured.tls == ClientTls::dane || (configured.tls == ClientTls::opportunistic && delivery.dane);
}

HostPolicy exchanger_policy(const HostPolicy& configured, const Exchanger& exchanger, const StsKnown& sts,
                            const net::AddressAnswer& addresses, const std::optional<net::TlsaAnswer>& tlsa) {
    HostPolicy policy = configured;
    if (policy.tls == ClientTls::verify || policy.tls == ClientTls::implicit) policy.names = {exchanger.host};
    if (policy.tls == ClientTls::opportunistic) policy = sts_policy(std::move(policy), exchanger, sts);
    const HostPolicy unlisted = exchanger.mx_secure ? HostPolicy() : policy;

    const bool demanded = configured.tls == ClientTls::dane;
    if (tlsa && (demanded || configured.tls == ClientTls::opportunistic))
        policy = dane_policy(std::move(policy), exchanger.host, exchanger.domain, exchanger.mx_secure,
                             addresses, *tlsa);
    if (demanded && policy.barred.empty()) {
        if (policy.tlsa.empty() || !exchanger.mx_secure) policy.fault = PolicyFault::dane_required;
        if (policy.tlsa.empty() || !exchanger.mx_secure)
            policy.barred = "TLS policy dane, but " + unproven(exchanger, addresses, tlsa);
        policy.origin = configured.origin;
    }
    // Whoever forges MX records can name a host of his own that has TLSA records.
    if (!unlisted.barred.empty()) {
        policy.barred = unlisted.barred;
        policy.sts = unlisted.sts;
        policy.fault = unlisted.fault;
    }
    return policy;
}

}  // namespace postern::relay
