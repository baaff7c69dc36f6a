// The table of all pages and actions, and how a request finds its row.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "agent/status/endpoint.h"

namespace postern::agent {

/// In the order in which help shows them.
const std::vector<Endpoint>& endpoints();

/// Commands that share their first word.
struct CommandGroup {
    std::string_view name;
    std::string_view help;
    std::string_view alone{};       // the command that is meant by the first word alone; "" for none
    std::string_view local{};       // one that asks no gateway, first of them; "" for none
    std::string_view unanswered{};  // what to know when no gateway answers
};
const std::vector<CommandGroup>& command_groups();

Answer respond(const Control& control, const Request& request);

/// Whether the path is shown to everybody, whatever status.reads says.
bool is_for_everybody(std::string_view path);

}  // namespace postern::agent
