#include "agent/program/plan.h"

#include <stdexcept>

#include "agent/settings/environment.h"

namespace postern::agent {

std::vector<std::string> Plan::faults(const std::filesystem::path& file) const {
    std::vector<std::string> lines;
    for (const auto& fault : parsed.faults) lines.push_back(fault.line(file));
    return lines;
}

Plan plan_reload(const Configuration& configuration, const relay::Relay& relay, base::Time now) {
    const auto& started = configuration.started();
    Plan plan;
    auto& parsed = plan.parsed = read_settings(configuration.file());
    InUse ours;
    for (const auto& listener : started.relay.listeners) ours.addresses.push_back(listener.address);
    check_environment(parsed, ours, now);
    if (!parsed.faults.empty()) return plan;
    if (started.gateway_mode.on() && parsed.settings.gateway_mode.on()) {
        auto terms = gateway_mode_terms(parsed.settings);
        if (terms)
            plan.gateway_mode = std::move(*terms);
        else
            parsed.fault("status.gateway_mode", terms.error());
    }
    try {
        plan.relay = relay.prepare(relay_settings(parsed.settings, *configuration.overrides()));
    } catch (const std::runtime_error& error) {
        parsed.fault("state_dir", error.what());
    }
    plan.after_restart_only = differing_at_start(started, parsed.settings);
    return plan;
}

}  // namespace postern::agent
