// What a primary said, in words of ours.
#pragma once

#include <string>
#include <string_view>

#include "sync/primary/primary.h"

namespace postern::sync {

/// Text from the network made fit for one line of a log, at most limits::words octets.
std::string one_line(std::string_view text);

/// Its answer cannot be understood.
Failure unreadable(std::string words);

}  // namespace postern::sync
