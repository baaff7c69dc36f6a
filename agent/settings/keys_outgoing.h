// The part of the table of keys that is about mail on its way out.
#pragma once

#include <vector>

#include "agent/settings/key.h"

namespace postern::agent {

/// [[gateway]], [[route]], [[destination]], [[egress]], [queue], [delivery] and [dns], in this order.
std::vector<Section> outgoing_sections();

}  // namespace postern::agent
