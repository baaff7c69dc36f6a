#include "relay/reception/allowance.h"

namespace postern::relay {

bool Allowance::take(const std::string& who, base::Moment now) {
    const std::lock_guard lock(mutex_);
    if (begun_ == base::Moment{} || now - begun_ >= std::chrono::hours(1)) {
        begun_ = now;
        taken_.clear();
    }
    auto found = taken_.find(who);
    if (found == taken_.end()) {
        if (taken_.size() >= most_known) return false;
        found = taken_.emplace(who, 0).first;
    }
    if (found->second >= per_hour_) return false;
    ++found->second;
    return true;
}

}  // namespace postern::relay
