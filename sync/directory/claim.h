// Domains that more than one primary says are its own.
#pragma once

#include <string>
#include <vector>

#include "sync/directory/directory.h"

namespace postern::sync {

struct Claim {
    std::string domain;     // or an alias of one
    std::string primary;    // whose answer counts
    std::string overruled;  // the other primary that lists it, ignored
    auto operator<=>(const Claim&) const = default;
};

/// All of them, sorted. Which one counts is decided as in Snapshot: whom the settings name, a domain before
/// an alias of one, an enabled domain before a disabled one, then the primary that comes first in the
/// settings.
std::vector<Claim> claims(const Directory& directory);

}  // namespace postern::sync
