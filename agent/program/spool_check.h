// `postern spool check` and `list-damaged`: the mail's files, without the gateway and beside it.
#pragma once

#include "agent/command/command_line.h"
#include "sync/base/clock.h"

namespace postern::agent {

/// Prints what was found. Gives the exit code: 1 when something is wrong.
int check_mail(const Command& command);

/// As the gateway answers it, which is asked where it runs. Gives the exit code.
int list_damaged(const Command& command, const base::Clock& clock);

}  // namespace postern::agent
