// DANE for SMTP (RFC 7672): from TLSA records to what is wanted of a host. Pure functions.
#pragma once

#include <string>

#include "relay/net/resolver.h"
#include "relay/security/policy.h"

namespace postern::relay {

/// `base` is the policy without DANE. The exchanger's name, its addresses and its TLSA records as the resolver
/// gave them; `mx_secure`: the MX records are proven too (they need not be for a host that was configured).
/// Secure and usable records: dane, whatever `base`. Secure but none usable (only usages 0 and 1, unknown
/// selectors, wrong lengths): at least required. A failed or bogus look-up in a secure zone: barred. Otherwise
/// `base`.
HostPolicy dane_policy(HostPolicy base, const std::string& host, const std::string& domain, bool mx_secure,
                       const net::AddressAnswer& addresses, const net::TlsaAnswer& tlsa);

/// Whether TLSA records are worth asking for at all (RFC 7672 §2.2): the address records must be secure.
bool dane_possible(bool mx_secure, const net::AddressAnswer& addresses);

}  // namespace postern::relay
