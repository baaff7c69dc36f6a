// That answers were validated once with the [dns] settings as they are, kept as text over restarts. Pure
// functions.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "relay/settings.h"

namespace postern::relay::net {

enum class Proof : std::uint8_t {
    none,     // never, or with other settings
    given,    // with the same servers, stubs and trust anchors
    damaged,  // it was once, nobody knows with which settings
};

/// Names the settings in full, so that an administrator can read it, and ends in a checksum.
std::string write_proof(const DnsSettings& settings);

/// What write_proof() gave, nullopt for a file that does not exist. Text that cannot be read or was damaged
/// is `damaged`, and that has to count as `given`: a file is there only where validation worked before, so
/// who takes it for "never" lets anybody who forges answers switch DANE off. What it may cost is mail that
/// waits where the settings were changed to name servers without DNSSEC while the file was damaged; that is
/// told, and ends as soon as [dns] is changed.
Proof read_proof(const std::optional<std::string_view>& text, const DnsSettings& settings);

}  // namespace postern::relay::net
