// What is answered to a request, whoever asked and whatever for.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <stdexcept>
#include <string>
#include <string_view>

namespace postern::agent {

struct Answer {
    int status = 200;
    std::string body;
    std::string type = "application/json";
    std::string allow;  // of a 405: the methods the path has
};

/// Status line and header fields of the last answer on a connection.
std::string head_of(const Answer& answer);

/// {"error": "..."}
Answer refusal(int status, std::string_view why);

/// As text; octets that are not UTF-8 are replaced.
std::string dump(const nlohmann::json& json);

/// Thrown by what the gateway cannot do any more.
struct Stopping : std::runtime_error {
    Stopping() : std::runtime_error("the gateway is stopping") {}
};

/// Thrown by that of which too much goes on.
struct Busy : std::runtime_error {
    Busy() : std::runtime_error("too many ask for this at once: try again in a moment") {}
};

}  // namespace postern::agent
