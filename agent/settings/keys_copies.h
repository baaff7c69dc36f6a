// The keys about copies of mail for an archive, and about the gateway that looks into mail.
#pragma once

#include <vector>

#include "agent/settings/key.h"

namespace postern::agent {

std::vector<Section> copies_sections();

}  // namespace postern::agent
