// MTA-STS (RFC 8461) as pure functions: the TXT record, the reply of a policy host, the policy, and which
// hosts it allows.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <tl/expected.hpp>

#include "sync/base/http_reply.h"

namespace postern::relay {

struct StsPolicy {
    enum class Mode : std::uint8_t { none, testing, enforce };
    Mode mode = Mode::none;
    std::vector<std::string> patterns;  // of mx names, lower case, "*.example.net" for one more label
    std::chrono::seconds max_age{0};    // at most a year, as the RFC says

    bool operator==(const StsPolicy&) const = default;
};

/// Why a domain that says it has a policy has none that can be used, as it is told what goes wrong (RFC 8460
/// §4.3.2.2).
enum class StsFault : std::uint8_t { none, not_fetched, invalid, not_trusted };

/// What is known of a domain's policy.
struct StsKnown {
    std::optional<StsPolicy> policy;  // none: the domain has none, or none that can be had
    bool unsure = false;              // or it cannot be told now: its mail waits
    std::string why;  // in words: "fetched 2 hours ago", "cannot be fetched: …", what stands in the way
    StsFault fault = StsFault::none;  // of the domain's, where there is no policy
};

/// The id of the one "v=STSv1" record among a name's TXT records; nullopt when there is none, or more than
/// one.
std::optional<std::string> parse_sts_record(const std::vector<std::string>& texts);

/// What octets of a policy file there are at most.
inline constexpr std::size_t sts_policy_max = 64u << 10;

/// The policy file in a policy host's reply, which is not empty, or in words why the reply has none (RFC 8461
/// §3.3): "answers 404".
tl::expected<std::string, std::string> sts_reply(base::HttpMessage reply);

/// The policy file, or what is wrong with it in words. At most 64 KiB and 100 patterns.
tl::expected<StsPolicy, std::string> parse_sts_policy(std::string_view body);

/// Whether `host` (lower case) is one of the policy's exchangers (RFC 8461 §4.1).
bool sts_allows(const StsPolicy& policy, std::string_view host);

}  // namespace postern::relay
