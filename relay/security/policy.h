// How a connection to one host must be secured, and who says so.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "relay/net/tlsa.h"
#include "relay/settings.h"

namespace postern::relay {

/// As in the configuration.
std::string_view in_words(ClientTls tls);

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

    std::string text() const;  // "dane (DANE)", "verify (MTA-STS of example.com)"
    bool operator==(const HostPolicy&) const = default;
};

}  // namespace postern::relay
