// What came of a wish to talk to a host over TLS, and what a report calls that (RFC 8460 §4.2, §4.3).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "relay/security/policy.h"

namespace postern::relay {

/// RFC 8460 §4.3, in its order.
enum class TlsResult : std::uint8_t {
    success,
    starttls_not_supported,
    certificate_host_mismatch,
    certificate_expired,
    certificate_not_trusted,
    validation_failure,
    tlsa_invalid,
    dnssec_invalid,
    dane_required,
    sts_policy_fetch_error,
    sts_policy_invalid,
    sts_webpki_invalid,
};

/// As in a report: "certificate-expired"; "" for success.
std::string_view text_of(TlsResult result);
std::optional<TlsResult> parse_tls_result(std::string_view text);

/// One attempt. Addresses are literals without brackets; what is not known is "".
struct TlsSession {
    std::string host, receiving;  // as in MX, and its address
    std::string helo;             // what it calls itself
    std::string sending;          // our address
    bool offered = false;         // STARTTLS
    bool encrypted = false;
    long certificate = 0;  // what is wrong with it, as the TLS library numbers it; 0: nothing
    std::string why;       // there is no TLS, in words
};

/// What a domain's mail to a host was held to, as the domain is told.
struct ReportedPolicy {
    enum class Kind : std::uint8_t { none, sts, tlsa };
    Kind kind = Kind::none;
    std::string domain;              // whose it is: of TLSA records the host's name
    std::vector<std::string> lines;  // the policy itself: of a policy file its lines, or TLSA records
    std::vector<std::string> hosts;  // the patterns of an MTA-STS policy
    bool operator==(const ReportedPolicy&) const = default;
};

/// "sts", "tlsa", "no-policy-found".
std::string_view text_of(ReportedPolicy::Kind kind);

struct JudgedSession {
    ReportedPolicy policy;
    TlsResult result = TlsResult::success;
    std::string reason;  // of a failure, in words
};

/// Of mail for `domain`. Also of a host that `policy` bars, where no session was begun. A pure function.
JudgedSession judge_session(const HostPolicy& policy, const std::string& domain, const TlsSession& session);

}  // namespace postern::relay
