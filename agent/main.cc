// The program: one binary, a subcommand each for being the gateway and for talking to it.
#include <cstdio>
#include <exception>

#include <sysexits.h>

#include "agent/command_line.h"
#include "agent/commands.h"
#include "agent/reference.h"
#include "agent/reply_rules.h"
#include "agent/run.h"

int main(int argc, char** argv) {
    using namespace postern::agent;
    try {
        const auto command = parse_command_line(argc, argv);
        if (!command) return command.error();
        switch (command->verb) {
            case Verb::run: return run(command->config);
            case Verb::check: return check(*command);
            case Verb::config_defaults: std::fputs(reference_toml().c_str(), stdout); return EX_OK;
            case Verb::config_markdown: std::fputs(reference_markdown().c_str(), stdout); return EX_OK;
            case Verb::config_rules:
                std::fwrite(shipped_reply_rules_text().data(), 1, shipped_reply_rules_text().size(), stdout);
                return EX_OK;
            default: return ask(*command);
        }
    } catch (const std::exception& error) {
        std::fprintf(stderr, "postern: %s\n", error.what());
        return EX_SOFTWARE;
    }
}
