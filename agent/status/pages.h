// The rows that each file here has for the table of endpoints.
#pragma once

#include <vector>

#include "agent/status/endpoint.h"

namespace postern::agent {

std::vector<Endpoint> state_endpoints();
std::vector<Endpoint> explain_endpoints();
std::vector<Endpoint> queue_endpoints();
std::vector<Endpoint> spool_endpoints();
std::vector<Endpoint> outgoing_endpoints();
std::vector<Endpoint> directory_endpoints();
std::vector<Endpoint> reload_endpoints();

}  // namespace postern::agent
