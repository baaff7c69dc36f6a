// The part of the table of keys that is about mail on its way out.
#pragma once

#include <vector>

#include "agent/keys.h"

namespace postern::agent {

/// [[gateway]], [[route]], [[destination]], [[egress]], [queue], [delivery] and [dns], in this order.
std::vector<Section> delivery_sections();

}  // namespace postern::agent
