// Which messages of the queue a request is about: the parameters for it, what they mean, and what is wrong
// with them together.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "agent/status/endpoint.h"

namespace postern::agent {

/// `gateway` is another way to say `route`, except where it is the target of a move.
enum class GatewayRole : std::uint8_t { chooses, is_target };

/// Without gateway, all and what else a row has.
const std::vector<Parameter>& choice_parameters();

relay::QueueFilter choice(const Control& control, const Request& request,
                          GatewayRole gateway = GatewayRole::chooses);

/// Whether some messages are chosen, and not all.
bool chooses_messages(const Parameters& asked, GatewayRole gateway);

// For Endpoint::objection: of what reads and retries, of what changes messages, and of a move.
std::string choice_objection(const Parameters& asked);
std::string deliberate_choice_objection(const Parameters& asked);
std::string move_objection(const Parameters& asked);

}  // namespace postern::agent
