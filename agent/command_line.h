// What was asked for on the command line.
#pragma once

#include <filesystem>
#include <string>

#include <tl/expected.hpp>

#include "relay/relay.h"

namespace postern::agent {

enum class Verb : std::uint8_t {
    run,
    check,
    config_defaults,
    config_markdown,
    explain,
    status,
    queue_list,
    queue_show,
    queue_retry,
    queue_delete,
    directory,
    forget,
    sync,
    reload,
};

struct Command {
    Verb verb = Verb::status;
    std::filesystem::path config = "/etc/postern/postern.toml";
    bool json = false;
    relay::QueueFilter filter;  // of queue commands
    std::size_t limit = 100;    // of queue list
    bool all = false;           // of queue delete
    bool accept = false;        // of sync
    std::string subject;  // of directory show: a domain or an address; "" for all; of forget: an address
    std::string from, to, client;
};

/// The error is an exit code: help or the fault has been printed.
tl::expected<Command, int> parse_command_line(int argc, const char* const* argv);

}  // namespace postern::agent
