// `postern run`: the process around the gateway.
#pragma once

#include <filesystem>

#include "agent/command/command_line.h"
#include "sync/base/clock.h"
#include "sync/base/disk.h"

namespace postern::agent {

/// Reads the file, opens, becomes the configured account, serves until SIGTERM or SIGINT. Gives the exit
/// code.
int run(const std::filesystem::path& config, const base::Clock& clock, base::Disk& disk);

/// `postern check`: the same reading without starting anything, and what trying it out shows when that is
/// asked for. Gives the exit code.
int check(const Command& command, const base::Clock& clock);

}  // namespace postern::agent
