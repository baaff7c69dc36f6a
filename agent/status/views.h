// The state of the gateway as JSON, for the endpoint and the commands.
#pragma once

#include <chrono>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "agent/settings/settings.h"
#include "agent/status/control.h"
#include "relay/trial.h"
#include "sync/base/clock.h"

namespace postern::agent {

nlohmann::json view(base::Time time);  // null when there is none
nlohmann::json view(const relay::Reply& reply);
nlohmann::json view(const relay::MessageView& message);
nlohmann::json view(const relay::QueueSummary& summary);
nlohmann::json view(const relay::Explanation& explanation);
nlohmann::json view(const relay::DestinationView& destination);
nlohmann::json view(const sync::SuspicionView& suspicion);
nlohmann::json view(const sync::PrimaryReport& primary);
nlohmann::json view(const sync::DomainView& domain);
nlohmann::json view(const sync::Verdict& verdict);

// With what the operator has laid over the file, also for a gateway or address the file has no more.
nlohmann::json gateways_view(const OutgoingRoutes& outgoing);
nlohmann::json routes_view(const OutgoingRoutes& outgoing);
nlohmann::json egress_view(const OutgoingRoutes& outgoing);
nlohmann::json check_view(const std::filesystem::path& file, const ParsedConfiguration& parsed,
                          const std::vector<relay::Finding>& findings);
nlohmann::json status_view(const Control& control);

}  // namespace postern::agent
