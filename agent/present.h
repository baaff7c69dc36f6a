// Answers of the status endpoint as text for people.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>

namespace postern::agent {

// Each takes the JSON of one path and may throw nlohmann::json::exception when it has another shape. Text
// from the network is made safe for a terminal.
std::string present_status(const nlohmann::json& status);
std::string present_queue(const nlohmann::json& queue);
std::string present_message(const nlohmann::json& message);
std::string present_directory(const nlohmann::json& directory);
std::string present_directory_entry(const nlohmann::json& entry);
std::string present_gateways(const nlohmann::json& answer);
std::string present_routes(const nlohmann::json& answer);
std::string present_egress(const nlohmann::json& answer);
std::string present_explanation(const nlohmann::json& explanation);

/// "512 B", "12.3 KiB".
std::string readable_size(std::uint64_t bytes);

}  // namespace postern::agent
