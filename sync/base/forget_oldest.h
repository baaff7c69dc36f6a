// A bound by count for what is remembered under names that strangers choose.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <utility>
#include <vector>

namespace postern::base {

/// Leaves at most `most` entries of a map, as far as that can be done with those that `unused` says nobody
/// needs: of them the ones whose `last`, a time, is the earliest go. Gives how many went.
template <class Map, class Unused, class Last>
std::size_t forget_oldest(Map& map, std::size_t most, Unused unused, Last last) {
    if (map.size() <= most) return 0;
    using Place = typename Map::iterator;
    std::vector<std::pair<decltype(last(map.begin()->second)), Place>> idle;
    for (Place at = map.begin(); at != map.end(); ++at)
        if (unused(at->second)) idle.emplace_back(last(at->second), at);
    const std::size_t count = std::min(idle.size(), map.size() - most);
    const auto end = idle.begin() + static_cast<std::ptrdiff_t>(count);
    std::nth_element(idle.begin(), end, idle.end(),
                     [](const auto& a, const auto& b) { return a.first < b.first; });
    for (auto one = idle.begin(); one != end; ++one) map.erase(one->second);
    return count;
}

}  // namespace postern::base
