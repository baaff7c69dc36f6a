// How a connection to one host must be secured, and who says so.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "relay/net/tlsa.h"
#include "relay/security/mta_sts.h"
#include "relay/settings.h"

namespace postern::relay {

/// As in the configuration.
std::string_view in_words(ClientTls tls);

/// What is wrong with what a domain publishes about its TLS, before anything is connected to (RFC 8460
/// §4.3.2).
enum class PolicyFault : std::uint8_t {
    none,
    sts_not_fetched,
    sts_invalid,
    sts_not_trusted,
    sts_not_listed,  // the host is not in the policy
    tlsa_unusable,
    tlsa_not_found,  // nobody can tell whether there are any: bogus, or no answer
    dane_required,   // by the configuration, and there is no proof
};

/// What is wanted of one host.
struct HostPolicy {
    ClientTls tls = ClientTls::opportunistic;
    std::string origin;                 // in words: "delivery.tls", "DANE", "MTA-STS of example.com"
    std::vector<net::TlsaRecord> tlsa;  // with ClientTls::dane; only those that can be used (RFC 7672 §3.1)
    std::vector<std::string> names;  // the certificate must have one of them (RFC 7672 §3.2.2); "verify" too
    /// A fault by this policy is only told, not acted upon (MTA-STS testing).
    bool testing = false;
    std::string would_bar;  // what such a policy says against this host altogether, "" for nothing
    /// "" or why this host must not be used now: "its TLSA records are bogus …". Mail for it is deferred.
    std::string barred;
    std::optional<StsPolicy> sts{};  // the MTA-STS policy that this is by, also one that is being tested
    PolicyFault fault = PolicyFault::none;

    std::string text() const;  // "dane (DANE)", "verify (MTA-STS of example.com)"
    bool operator==(const HostPolicy&) const = default;
};

}  // namespace postern::relay
