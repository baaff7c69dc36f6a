// A changed configuration file, read again: what it would put in force, or what is wrong with it.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "agent/gateway_mode/server.h"
#include "agent/program/configuration.h"
#include "agent/settings/settings.h"
#include "relay/relay.h"
#include "sync/base/clock.h"

namespace postern::agent {

/// All that can be found out before anything is changed. Nothing of it is to be used when there are faults.
struct Plan {
    ParsedConfiguration parsed;
    std::shared_ptr<const relay::Relay::Prepared> relay;
    std::optional<GatewayModeTerms> gateway_mode;  // when it runs, and goes on
    std::vector<std::string> after_restart_only;   // keys that differ from what runs

    /// Each with its place in the file; none when it can be put in force.
    std::vector<std::string> faults(const std::filesystem::path& file) const;
};

/// Reads files and looks at this machine, so it may take long. The caller holds configuration.changing().
Plan plan_reload(const Configuration& configuration, const relay::Relay& relay, base::Time now);

}  // namespace postern::agent
