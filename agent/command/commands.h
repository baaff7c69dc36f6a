// The commands that talk to the running gateway.
#pragma once

#include "agent/command/command_line.h"
#include "sync/base/clock.h"

namespace postern::agent {

/// Asks, prints, and gives the exit code (sysexits.h).
int ask(const Command& command, const base::Clock& clock);

}  // namespace postern::agent
