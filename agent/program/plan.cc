#include "agent/program/plan.h"

#include <stdexcept>

#include "agent/settings/environment.h"

namespace postern::agent {

std::vector<std::string> Plan::faults(const std::filesystem::path& file) const {
    std::vector<std::string> lines;
    for (const auto& fault : reading.faults) lines.push_back(fault.line(file));
    return lines;
}

Plan plan_reload(const Configuration& configuration) {
    const auto& started = configuration.started();
    Plan plan;
    auto& reading = plan.reading = read_settings(configuration.file());
    InUse ours;
    for (const auto& listener : started.relay.listeners) ours.addresses.push_back(listener.address);
    check_environment(reading, ours);
    if (!reading.faults.empty()) return plan;
    if (started.gateway_mode.on() && reading.settings.gateway_mode.on()) {
        auto terms = gateway_mode_terms(reading.settings);
        if (terms)
            plan.gateway_mode = std::move(*terms);
        else
            reading.fault("status.gateway_mode", terms.error());
    }
    try {
        plan.relay = relay::Relay::prepare(relay_settings(reading.settings, *configuration.overrides()));
    } catch (const std::runtime_error& error) {
        reading.fault("state_dir", error.what());
    }
    plan.after_restart_only = differing_at_start(started, reading.settings);
    return plan;
}

}  // namespace postern::agent
