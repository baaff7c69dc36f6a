// Whether the gateway can take mail, and if not, why.
#pragma once

#include <string>
#include <vector>

#include "relay/relay.h"
#include "sync/sync.h"

namespace postern::agent {

/// Reasons in words, none when ready. The directory counts only when senders are looked up in it.
std::vector<std::string> reasons_not_ready(const relay::State& state, const sync::Report& report,
                                           bool directory_needed, sync::Time now);

}  // namespace postern::agent
