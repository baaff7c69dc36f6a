// `postern dkim new` and `list`: keys that sign outgoing mail, and the DNS records that go with them.
#pragma once

#include "agent/command/command_line.h"
#include "sync/base/clock.h"

namespace postern::agent {

/// Makes a key for a domain where the configuration has its keys, and prints the record to publish. Nothing
/// is overwritten. Gives the exit code.
int make_dkim_key(const Command& command, const base::Clock& clock);

/// The keys that are there, of one domain or all, each with its record. Gives the exit code.
int list_dkim_keys(const Command& command);

}  // namespace postern::agent
