// The running gateway as the status endpoint may ask and change it (agent/status/control.h).
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "agent/log/log.h"
#include "agent/log/metrics.h"
#include "agent/program/configuration.h"
#include "agent/program/gate.h"
#include "agent/program/sharing.h"
#include "agent/status/control.h"

namespace postern::agent {

/// What is asked and changed; all of it outlives who uses it.
struct ControlledParts {
    Gate& gate;
    Configuration& configuration;
    relay::Relay& relay;
    sync::Sync& directory;
    Metrics& metrics;
    Log& log;
    const base::Clock& clock;
    std::function<Reloaded()> reload;
    std::function<std::vector<std::string>()> status_troubles;  // places of the endpoint that are not open
    Sharing* sharing = nullptr;                                 // null: there is no other gateway
};

/// Any thread.
class GatewayControl {
public:
    explicit GatewayControl(const ControlledParts& parts);
    ~GatewayControl();
    GatewayControl(const GatewayControl&) = delete;
    GatewayControl& operator=(const GatewayControl&) = delete;

    Control interface() const;
    /// What operators set at another gateway is in force here, if it is later.
    void adopt(const std::string& gateway, const Overrides& theirs);

private:
    struct Groups;
    std::unique_ptr<Groups> groups_;
};

}  // namespace postern::agent
