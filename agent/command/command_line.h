// What was asked for on the command line.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include <tl/expected.hpp>

#include "relay/relay.h"

namespace postern::agent {

enum class Verb : std::uint8_t {
    run,
    check,
    config_defaults,
    config_markdown,
    config_rules,
    explain,
    status,
    queue_list,
    queue_summary,
    queue_show,
    queue_retry,
    queue_delete,
    queue_hold,
    queue_release,
    queue_bounce,
    queue_move,
    gateways,
    gateway_enable,
    gateway_disable,
    routes,
    route_set,
    route_unset,
    egress,
    egress_suspend,
    egress_resume,
    egress_forget,
    directory,
    forget,
    sync,
    reload,
};

struct Command {
    Verb verb = Verb::status;
    std::filesystem::path config = "/etc/postern/postern.toml";
    bool json = false;
    relay::QueueFilter filter;            // of queue commands
    std::vector<std::string> ids;         // of queue commands; each is one choice of its own
    std::string older;                    // of queue commands: an age
    std::size_t limit = 100, offset = 0;  // of queue list
    std::string sort = "oldest";          // of queue list
    std::size_t rows = 20;                // of queue summary, of each kind
    bool header = false;                  // of queue show
    bool all = false;                     // of queue commands that change messages
    std::string gateway;                  // that chooses messages; of queue move and route set: where to
    bool rules = false;                   // of queue move: back to where the rules say
    std::string reason;                   // of queue bounce
    bool accept = false;                  // of sync
    bool online = false;                  // of check
    /// Of directory show: a domain or an address, "" for all; of forget: an address; of gateway and egress
    /// commands: a name or an address.
    std::string subject;
    std::string site;  // of egress forget
    std::string from, to, client;
};

/// The error is an exit code: help or the fault has been printed.
tl::expected<Command, int> parse_command_line(int argc, const char* const* argv);

}  // namespace postern::agent
