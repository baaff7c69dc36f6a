// IP literals and ranges, compared by value and not by spelling.
#pragma once

#include <string_view>

#include "relay/settings.h"

namespace postern::relay {

/// Whether `client`, an IPv4 or IPv6 literal, is in the range. IPv4-mapped IPv6 (::ffff:a.b.c.d) counts as
/// IPv4.
bool contains(const Network& network, std::string_view client);

/// Whether all of the range is addresses that nobody on the Internet has (RFC 6890).
bool is_private(const Network& network);

}  // namespace postern::relay
