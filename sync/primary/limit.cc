#include "sync/primary/limit.h"

#include <algorithm>

namespace postern::sync {

std::optional<std::chrono::seconds> Limit::take(Clock::time_point now) {
    const Clock::time_point base = std::max(next_, now);
    const auto wait = base - now - interval * (burst - 1);
    if (wait > std::chrono::seconds(0)) return std::chrono::ceil<std::chrono::seconds>(wait);
    next_ = base + interval;
    return std::nullopt;
}

}  // namespace postern::sync
