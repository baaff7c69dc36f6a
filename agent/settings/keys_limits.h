// The keys about how much each sender may hand in.
#pragma once

#include <vector>

#include "agent/settings/key.h"

namespace postern::agent {

std::vector<Section> limit_sections();

}  // namespace postern::agent
