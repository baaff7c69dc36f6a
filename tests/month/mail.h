// What the month consists of: messages that are handed in, one after the other.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <random>
#include <string>
#include <vector>

#include "sync/base/clock.h"

namespace month {

using postern::base::Time;
using Random = std::mt19937_64;

inline constexpr int days = 30, learnt = 21;  // of the month, and before it
/// A Monday.
inline const Time begin{std::chrono::sys_days{std::chrono::year{2026} / 6 / 1}};

inline Time at(int day, double hour) {
    return begin + std::chrono::hours(24 * day) +
           std::chrono::duration_cast<Time::duration>(std::chrono::duration<double, std::ratio<3600>>(hour));
}

struct Recipient {
    std::uint64_t who = 0;
    bool unknown = false, spam = false;  // what its receiver will say
};

struct Mail {
    Time at;
    std::size_t user = 0;
    std::vector<Recipient> to;
    int attack = -1;  // its number; -1: honest
};

inline double chance(Random& random) { return std::uniform_real_distribution<>(0, 1)(random); }
inline int between(Random& random, int least, int most) {
    return std::uniform_int_distribution<>(least, most)(random);
}

}  // namespace month
