// The rows that each file here has for the table of endpoints.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <vector>

#include "agent/status/endpoint.h"

namespace postern::relay {
struct SetAsidePage;
}

namespace postern::agent {

std::vector<Endpoint> state_endpoints();
std::vector<Endpoint> explain_endpoints();
std::vector<Endpoint> queue_endpoints();
std::vector<Endpoint> spool_endpoints();
std::vector<Endpoint> sender_endpoints();
std::vector<Endpoint> screening_endpoints();
std::vector<Endpoint> cluster_endpoints();
std::vector<Endpoint> outgoing_endpoints();
std::vector<Endpoint> tls_report_endpoints();
std::vector<Endpoint> directory_endpoints();
std::vector<Endpoint> reload_endpoints();

/// What `postern spool list-damaged` is answered; the command itself has it where there is no gateway.
nlohmann::json set_aside_answer(const relay::SetAsidePage& page);

}  // namespace postern::agent
