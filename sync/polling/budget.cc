#include "sync/polling/budget.h"

namespace postern::sync {

bool Budget::take(double requests, base::Moment now) {
    if (filled_ != base::Moment{})
        left_ = std::min(left_ + std::chrono::duration<double>(now - filled_).count() * rate_.per_second,
                         rate_.at_once);
    filled_ = now;
    if (left_ < requests) return false;
    left_ -= requests;
    return true;
}

}  // namespace postern::sync
