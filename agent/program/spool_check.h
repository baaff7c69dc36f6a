// `postern spool check`: the mail's files gone through, without the gateway and beside it.
#pragma once

#include "agent/command/command_line.h"

namespace postern::agent {

/// Prints what was found. Gives the exit code: 1 when something is wrong.
int check_mail(const Command& command);

}  // namespace postern::agent
