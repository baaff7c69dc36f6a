// The one table of configuration keys. The reader, the defaults, the reference and the shipped file come from
// it.
#pragma once

#include <vector>

#include "agent/settings/key.h"

namespace postern::agent {

/// In the order of the reference. Any thread.
const std::vector<Section>& sections();

}  // namespace postern::agent
