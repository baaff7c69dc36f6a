// What the paths of the status endpoint answer, one function each, and what they share.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>

#include "agent/status/api.h"

namespace postern::agent {

Answer ok(const nlohmann::json& body);
/// "" when it is not given.
std::string parameter(const Request& request, const std::string& name);

/// Tells the log who has changed what.
void note(const Operations& operations, const Request& request, const std::string& what,
          std::optional<std::size_t> messages = std::nullopt);

Answer answer_queue(const Operations& operations, const Request& request);
Answer answer_summary(const Operations& operations, const Request& request);
Answer answer_message(const Operations& operations, const Request& request);
Answer retry_messages(const Operations& operations, const Request& request);
Answer remove_messages(const Operations& operations, const Request& request);
Answer hold_messages(const Operations& operations, const Request& request);
Answer release_messages(const Operations& operations, const Request& request);
Answer bounce_messages(const Operations& operations, const Request& request);
Answer move_messages(const Operations& operations, const Request& request);

Answer answer_gateways(const Operations& operations, const Request& request);
Answer switch_gateway(const Operations& operations, const Request& request);
Answer answer_routes(const Operations& operations, const Request& request);
Answer add_route(const Operations& operations, const Request& request);
Answer remove_route(const Operations& operations, const Request& request);
Answer answer_egress(const Operations& operations, const Request& request);
Answer change_egress(const Operations& operations, const Request& request);

}  // namespace postern::agent
