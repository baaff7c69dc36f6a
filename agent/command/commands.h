// The commands that talk to the running gateway.
#pragma once

#include "agent/command/command_line.h"

namespace postern::agent {

/// Asks, prints, and gives the exit code (sysexits.h).
int ask(const Command& command);

}  // namespace postern::agent
