// MTA-STS (RFC 8461) as pure functions: the TXT record, the policy, and which hosts it allows.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <tl/expected.hpp>

namespace postern::relay {

struct StsPolicy {
    enum class Mode : std::uint8_t { none, testing, enforce };
    Mode mode = Mode::none;
    std::vector<std::string> patterns;  // of mx names, lower case, "*.example.net" for one more label
    std::chrono::seconds max_age{0};    // at most a year, as the RFC says

    bool operator==(const StsPolicy&) const = default;
};

/// The id of the one "v=STSv1" record among a name's TXT records; nullopt when there is none, or more than
/// one.
std::optional<std::string> parse_sts_record(const std::vector<std::string>& texts);

/// The policy file, or what is wrong with it in words. At most 64 KiB and 100 patterns.
tl::expected<StsPolicy, std::string> parse_sts_policy(std::string_view body);

/// Whether `host` (lower case) is one of the policy's exchangers (RFC 8461 §4.1).
bool sts_allows(const StsPolicy& policy, std::string_view host);

}  // namespace postern::relay
