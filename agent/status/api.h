// The paths of the status endpoint: requests in, answers out, nothing about sockets.
#pragma once

#include <map>
#include <string>
#include <string_view>

#include "agent/http/answer.h"
#include "agent/status/control.h"

namespace postern::agent {

struct Request {
    std::string method, path;  // path decoded, without the query
    std::multimap<std::string, std::string> parameters;
    bool authorised = false;  // may change things
    std::string who{};        // asks, for the log: "root", "token"; "" when it is not known
};

/// Exceptions of the control pass through.
Answer respond(const Control& control, const Request& request);

}  // namespace postern::agent
