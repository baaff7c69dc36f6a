// What texts of our own are signed with.
#pragma once

#include <string>
#include <string_view>

namespace postern::relay {

/// HMAC-SHA-256 (RFC 2104), 32 octets.
std::string hmac_sha256(std::string_view secret, std::string_view text);

/// In constant time, where the lengths are the same.
bool same_octets(std::string_view a, std::string_view b);

}  // namespace postern::relay
