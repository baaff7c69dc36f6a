// What was asked for on the command line.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include <tl/expected.hpp>

#include "agent/status/endpoint.h"

namespace postern::agent {

enum class Verb : std::uint8_t {
    ask,  // the running gateway
    run,
    check,
    spool_check,
    dkim_new,
    dkim_list,
    config_defaults,
    config_markdown,
    config_rules,
};

struct Command {
    Verb verb = Verb::ask;
    std::filesystem::path config = "/etc/postern/postern.toml";
    bool json = false;
    const Endpoint* endpoint = nullptr;  // of ask
    Parameters parameters;               // of ask, as given
    std::vector<std::string> subjects;   // of ask: what stands in the path, or ids; a request for each
    bool online = false;                 // of check
    std::string from, to;                // of check
    std::string selector;                // of dkim new; "": by the day
    bool ed25519 = false;                // of dkim new

    /// What is asked about one of the subjects, or "" without: the parameters, with it where it is one.
    Parameters asked(const std::string& subject) const;
};

/// The error is an exit code: help or the fault has been printed.
tl::expected<Command, int> parse_command_line(int argc, const char* const* argv);

}  // namespace postern::agent
