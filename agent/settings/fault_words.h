// Faults of a configuration file in the words of who wrote it: what was probably meant, and where it belongs.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "agent/settings/settings.h"

namespace postern::agent {

/// What the TOML parser found, said so that it helps: `text` is the whole file, `at` the place it stopped at.
std::string syntax_fault(std::string_view description, std::string_view text, Position at);

/// For a key that `section` ("" for those above the first one) does not have: where it belongs, what it is
/// called there, or the nearest name.
std::string unknown_key(std::string_view section, std::string_view name);

/// "there is no such WHAT", with the nearest of `allowed`, and all of them.
std::string unknown_name(std::string_view what, std::string_view name,
                         const std::vector<std::string_view>& allowed);

}  // namespace postern::agent
