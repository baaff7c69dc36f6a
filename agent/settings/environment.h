// What the settings need of this machine: one look for `check`, for a start and for a reload.
#pragma once

#include <optional>
#include <vector>

#include "agent/machine/privileges.h"
#include "agent/settings/settings.h"
#include "sync/base/clock.h"

namespace postern::agent {

/// What is in use rightly, so that it is no fault.
struct InUse {
    std::vector<relay::HostPort> addresses;  // passed by systemd, or held by the gateway that runs
    bool every_address = false;              // a gateway runs, and which addresses it holds is not known
};

/// Adds to the faults whatever a start would refuse, and to the warnings what works and is probably not
/// meant. Reads the reply rules. Files are seen as `account` sees them, ports as the calling process may have
/// them, certificates as of `now`.
void check_environment(ParsedConfiguration& parsed, const InUse& in_use, base::Time now,
                       const std::optional<Account>& account = std::nullopt);

/// What keeps the [[egress]] addresses from being used on this machine. Mail would leave from the others.
std::vector<Fault> egress_faults(const ParsedConfiguration& parsed);

}  // namespace postern::agent
