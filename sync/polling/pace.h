// How fast a primary is polled, by its settings and by how many gateways do so: a value.
#pragma once

#include <chrono>

#include "sync/settings.h"
#include "sync/turn.h"

namespace postern::sync {

struct Pace {
    std::chrono::seconds poll_every{0};
    std::chrono::milliseconds gap{0};  // between two requests
};

/// As the settings say; more slowly by as many gateways as there are while each of them polls, yet so often
/// that what is known is read again some times before it is not trusted any more.
Pace pace_of(const PrimarySettings& settings, const Turn& turn);

}  // namespace postern::sync
