#include "agent/http/answer.h"

#include <nlohmann/json.hpp>

namespace postern::agent {

using nlohmann::json;

Answer refusal(int status, std::string_view why) {
    return {status, dump({{"error", why}}), "application/json", ""};
}

std::string dump(const json& value) {
    // In ASCII: on a terminal nothing of it acts, whatever the network put in.
    return value.dump(2, ' ', true, json::error_handler_t::replace) + '\n';
}

}  // namespace postern::agent
