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
void note(const Control& control, const Request& request, const std::string& what,
          std::optional<std::size_t> messages = std::nullopt);

Answer answer_queue(const Control& control, const Request& request);
Answer answer_summary(const Control& control, const Request& request);
Answer answer_message(const Control& control, const Request& request);
Answer retry_messages(const Control& control, const Request& request);
Answer remove_messages(const Control& control, const Request& request);
Answer hold_messages(const Control& control, const Request& request);
Answer release_messages(const Control& control, const Request& request);
Answer bounce_messages(const Control& control, const Request& request);
Answer move_messages(const Control& control, const Request& request);

Answer answer_gateways(const Control& control, const Request& request);
Answer switch_gateway(const Control& control, const Request& request);
Answer answer_routes(const Control& control, const Request& request);
Answer add_route(const Control& control, const Request& request);
Answer remove_route(const Control& control, const Request& request);
Answer answer_egress(const Control& control, const Request& request);
Answer change_egress(const Control& control, const Request& request);

}  // namespace postern::agent
