// The program: one binary, a subcommand each for being the gateway and for talking to it.
#include <cstdio>
#include <exception>

#include <malloc.h>
#include <sysexits.h>

#include "agent/command/command_line.h"
#include "agent/command/commands.h"
#include "agent/program/dkim.h"
#include "agent/program/run.h"
#include "agent/program/spool_check.h"
#include "agent/settings/reference.h"
#include "agent/settings/reply_rules.h"
#include "sync/base/clock.h"
#include "sync/base/disk.h"

namespace {

/// A commit frees what it wrote, and the next one needs as much: memory that goes back to the system in
/// between comes again page fault by page fault, a tenth of all the time spent on large mail. At most this
/// much of it stays with each thread.
void keep_freed_memory() {
    ::mallopt(M_TRIM_THRESHOLD, 4 << 20);
    ::mallopt(M_MMAP_THRESHOLD, 1 << 20);
}

}  // namespace

int main(int argc, char** argv) {
    using namespace postern::agent;
    try {
        const postern::base::SystemClock clock;
        postern::base::SystemDisk disk;
        const auto command = parse_command_line(argc, argv);
        if (!command) return command.error();
        switch (command->verb) {
            case Verb::run: keep_freed_memory(); return run(command->config, clock, disk);
            case Verb::check: return check(*command, clock);
            case Verb::spool_check: return check_mail(*command);
            case Verb::dkim_new: return make_dkim_key(*command, clock);
            case Verb::dkim_list: return list_dkim_keys(*command);
            case Verb::config_defaults: std::fputs(reference_toml().c_str(), stdout); return EX_OK;
            case Verb::config_markdown: std::fputs(reference_markdown().c_str(), stdout); return EX_OK;
            case Verb::config_rules:
                std::fwrite(shipped_reply_rules_text().data(), 1, shipped_reply_rules_text().size(), stdout);
                return EX_OK;
            case Verb::ask:
                return command->endpoint->words == "spool list-damaged" ? list_damaged(*command, clock)
                                                                        : ask(*command, clock);
        }
        return EX_SOFTWARE;
    } catch (const std::exception& error) {
        std::fprintf(stderr, "postern: %s\n", error.what());
        return EX_SOFTWARE;
    }
}
