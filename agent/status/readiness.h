// Whether the gateway can take mail, and if not, why.
#pragma once

#include <string>
#include <vector>

#include "relay/relay.h"
#include "sync/cluster/view.h"
#include "sync/sync.h"

namespace postern::agent {

/// Reasons in words, none when ready. The directory counts only when senders are looked up in it.
std::vector<std::string> reasons_not_ready(const relay::State& state, const sync::Report& report,
                                           bool directory_needed, sync::Time now);

/// Why mail is taken but stays here, in words; none when all is well.
std::vector<std::string> reasons_degraded(const std::vector<relay::EgressView>& egress);

/// Primaries that cannot be asked now, in words: what is known of them goes on being used.
std::vector<std::string> directory_troubles(const sync::Report& report);

/// Primaries and gateways that mail waits for because they cannot be reached, in words.
std::vector<std::string> next_hop_troubles(const relay::State& state);
/// Other gateways that cannot be asked, or are asked in vain, in words.
std::vector<std::string> cluster_troubles(const sync::ClusterView& view);
/// That the archive takes no copies, and that screened mail does not come back.
std::vector<std::string> copy_troubles(const relay::State& state, const relay::ScreeningView& screening);

}  // namespace postern::agent
