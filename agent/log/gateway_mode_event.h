// What was asked in gateway mode, told to whoever logs and counts it.
#pragma once

#include <cstdint>
#include <string_view>

namespace postern::agent {

enum class GatewayModeOutcome : std::uint8_t {
    served,
    login_refused,  // wrong credentials, an ended token, or too many attempts
    not_served,     // an operation of the primary's that has no answer here
    malformed,
    stranger,  // not from a primary's address
};
std::string_view describe(GatewayModeOutcome outcome);

/// Text comes from the network: bounded, otherwise as received.
struct GatewayModeEvent {
    std::string_view client, operation;
    GatewayModeOutcome outcome = GatewayModeOutcome::served;
};

}  // namespace postern::agent
