// Answers of the status endpoint as text for people.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>

#include "sync/base/clock.h"

namespace postern::agent {

// Each takes the JSON of one path and may throw nlohmann::json::exception when it has another shape. Text
// from the network is made safe for a terminal. Times are local, and told from `now`.
std::string present_status(const nlohmann::json& status, base::Time now);
std::string present_queue(const nlohmann::json& queue, base::Time now);
std::string present_summary(const nlohmann::json& summary, base::Time now);
std::string present_message(const nlohmann::json& message, base::Time now);
std::string present_header(const nlohmann::json& message);
/// Of a change: "3 messages held until released", and what it does not hold for.
std::string present_applied(const nlohmann::json& answer, const char* what);
std::string present_directory(const nlohmann::json& directory, base::Time now);
std::string present_directory_entry(const nlohmann::json& entry);
std::string present_gateways(const nlohmann::json& answer, base::Time now);
std::string present_routes(const nlohmann::json& answer);
std::string present_egress(const nlohmann::json& answer, base::Time now);
std::string present_explanation(const nlohmann::json& explanation, base::Time now);

/// "512 B", "12.3 KiB".
std::string readable_size(std::uint64_t bytes);

}  // namespace postern::agent
