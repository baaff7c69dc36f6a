#include "agent/log/gateway_mode_event.h"

namespace postern::agent {

std::string_view describe(GatewayModeOutcome outcome) {
    switch (outcome) {
        case GatewayModeOutcome::served: return "served";
        case GatewayModeOutcome::login_refused: return "login-refused";
        case GatewayModeOutcome::not_served: return "not-served";
        case GatewayModeOutcome::malformed: return "malformed";
        case GatewayModeOutcome::stranger: return "stranger";
    }
    return "";
}

}  // namespace postern::agent
