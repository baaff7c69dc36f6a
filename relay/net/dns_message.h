// Octets of DNS answers (RFC 1035 §4) that the resolver library leaves to us. Pure functions: what comes in
// is not to be trusted.
#pragma once

#include <string>
#include <string_view>

namespace postern::relay::net {

/// A domain name in wire form to text in lower case, "." for the root. Empty when the octets are no host
/// name.
std::string name_of(std::string_view wire);

/// Whether the answer section of a message (RFC 1035 §4) has an RRSIG record.
bool is_signed(std::string_view message);

}  // namespace postern::relay::net
