// Internationalised domain names (RFC 5890, UTS 46).
#pragma once

#include <string>
#include <string_view>

#include <tl/expected.hpp>

namespace postern::relay {

/// The name in A-labels and lower case, as DNS and certificates want it; an ASCII name is only put in lower
/// case. In words why a name cannot be converted.
tl::expected<std::string, std::string> to_ascii(std::string_view name);

}  // namespace postern::relay
