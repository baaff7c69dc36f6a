#include "sync/primary/rotation.h"

#include <algorithm>

namespace postern::sync {

std::vector<std::string> Rotation::next(const std::vector<std::string>& sorted, std::size_t count) {
    std::vector<std::string> chosen;
    auto at = std::upper_bound(sorted.begin(), sorted.end(), last_);
    for (count = std::min(count, sorted.size()); chosen.size() < count; ++at) {
        if (at == sorted.end()) at = sorted.begin();
        chosen.push_back(*at);
    }
    if (!chosen.empty()) last_ = chosen.back();
    return chosen;
}

}  // namespace postern::sync
