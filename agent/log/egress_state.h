// An address that mail leaves from, as the log, the counters and the status speak of it.
#pragma once

#include <string_view>

#include "relay/views.h"

namespace postern::agent {

/// Whether mail may leave from it at all: not suspended and not listed everywhere. An address on probation
/// is.
bool is_usable(const relay::EgressView& egress);

/// How an address without a name of its own, the system's choice, is called.
inline constexpr std::string_view system_choice = "system";

}  // namespace postern::agent
