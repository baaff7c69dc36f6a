// Settings that are allowed, and give more away than anybody means to.
#pragma once

#include "agent/settings/settings.h"

namespace postern::agent {

/// Adds warnings: primaries' addresses that let strangers relay, one address for two primaries, secrets that
/// others can read or write, a hostname no receiver believes. Looks at files as the calling process.
void warn_of_giveaways(ParsedConfiguration& parsed);

}  // namespace postern::agent
