// Whether what another gateway has read of a primary can take the place of what is known of it here. Pure
// decisions.
#pragma once

#include <string>

#include "sync/directory/directory.h"

namespace postern::sync {

/// The gateways' clocks may differ by so much.
constexpr std::chrono::seconds most_ahead = std::chrono::minutes(5);

/// What speaks against it, in words; "" when nothing does. `lists`: whether the primary does, as the settings
/// here say. What was read is not judged again: whoever read it has doubted what is to be doubted.
std::string objection_to(const PrimaryRecord& theirs, bool lists, Time now);

}  // namespace postern::sync
