// DANE for SMTP (RFC 7672): which TLSA records count for a host, and what they ask of it.
#pragma once

#include <cstdint>
#include <string>

#include "relay/net/resolver.h"
#include "relay/security/policy.h"

namespace postern::relay {

/// The TLSA records of a host: those of the name at the end of its CNAMEs, else its own (RFC 7672 §2.2.3);
/// only its own where proof ends at its CNAME record. Without a question `no_data`, not secure, where neither
/// addresses nor CNAME are proven: TLSA records mean nothing there (§2.2.2).
net::awaitable<net::TlsaAnswer> find_tlsa(net::Resolver& resolver, std::string host, std::uint16_t port,
                                          net::AddressAnswer addresses);

/// Whether a record can be used for SMTP: usage 2 or 3 (RFC 7672 §3.1.3), a known selector and matching type,
/// and data that fit them.
bool usable(const net::TlsaRecord& record);

/// `base` is the policy without DANE; `addresses` and `tlsa` are as the resolver gave them. Secure and usable
/// records: dane, whatever `base`. Secure but none usable: at least required. A failed or bogus look-up:
/// barred. Otherwise `base`. `domain` is the recipients'; its name in a certificate counts only where
/// `mx_secure`, the proof of its MX records, leads from it to the host (RFC 7672 §3.2.2). A pure function.
HostPolicy dane_policy(HostPolicy base, const std::string& host, const std::string& domain, bool mx_secure,
                       const net::AddressAnswer& addresses, const net::TlsaAnswer& tlsa);

}  // namespace postern::relay
