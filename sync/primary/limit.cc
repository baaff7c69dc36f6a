#include "sync/primary/limit.h"

#include <algorithm>

namespace postern::sync {

std::optional<std::chrono::seconds> Limit::take(base::Moment now) {
    const base::Moment from = std::max(next_, now);
    const auto wait = from - now - interval * (burst - 1);
    if (wait > std::chrono::seconds(0)) return std::chrono::ceil<std::chrono::seconds>(wait);
    next_ = from + interval;
    return std::nullopt;
}

}  // namespace postern::sync
