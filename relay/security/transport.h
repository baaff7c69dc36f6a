// How a connection to one exchanger of a recipient domain must be secured: what is configured, what MTA-STS
// says and what DANE proves, put together. Pure functions.
#pragma once

#include <optional>
#include <string>

#include "relay/net/resolver.h"
#include "relay/security/mta_sts.h"
#include "relay/security/policy.h"
#include "relay/settings.h"

namespace postern::relay {

/// What is configured for mail to `domain` by MX: delivery.tls, or its destination's own setting.
HostPolicy configured_policy(const Settings& settings, const std::string& domain);

/// Whether the domain's MTA-STS policy matters at all, and the host's TLSA records. An explicit setting other
/// than "opportunistic" stands above both; "dane" asks for TLSA records whatever delivery.dane says.
bool wants_sts(const HostPolicy& configured, const DeliverySettings& delivery);
bool wants_dane(const HostPolicy& configured, const DeliverySettings& delivery);

/// A host that mail is to be handed to.
struct Exchanger {
    std::string host;    // as in MX or configuration, lower case
    std::string domain;  // the recipients' domain, lower case; "" for a host that is configured
    /// The MX records (or their absence) are proven by DNSSEC; true for a host that is configured.
    bool mx_secure = false;
};

/// `sts` is what is known, nothing where nothing was asked; `tlsa` what was asked, nullopt where nothing was.
/// DANE stands above MTA-STS (RFC 8461 §2): it decides whenever it applies, except that a host which unproven
/// MX records name must be in a policy that is enforced all the same. Where it cannot be told whether there
/// is a policy, the hosts are barred that DANE does not vouch for.
HostPolicy exchanger_policy(const HostPolicy& configured, const Exchanger& exchanger, const StsKnown& sts,
                            const net::AddressAnswer& addresses, const std::optional<net::TlsaAnswer>& tlsa);

}  // namespace postern::relay
