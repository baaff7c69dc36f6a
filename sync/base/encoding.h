// Octets written in the characters of a text: hexadecimal, Base64 (RFC 4648) and percent-encoding (RFC 3986).
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace postern::base {

inline constexpr std::string_view lower_hex = "0123456789abcdef", upper_hex = "0123456789ABCDEF";

/// Two digits of `digits` for every octet.
std::string hex(std::string_view octets, std::string_view digits = lower_hex);

/// Base64 with padding, in one line.
std::string base64(std::string_view octets);
/// Base64 for URLs, without padding.
std::string base64url(std::string_view octets);
/// What base64() wrote; nullopt for anything else, white space included.
std::optional<std::string> from_base64(std::string_view text);

/// Letters, digits, "-._~" and what `besides` has stand as they are.
std::string percent_encoded(std::string_view octets, std::string_view besides = {});
/// nullopt when an escape is none.
std::optional<std::string> percent_decoded(std::string_view text);

}  // namespace postern::base
