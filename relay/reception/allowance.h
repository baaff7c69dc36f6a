// How much strangers may hand in for one of those behind us: so many an hour, and no more.
#pragma once

#include <mutex>
#include <string>
#include <unordered_map>

#include "sync/base/clock.h"

namespace postern::relay {

/// Any thread. Bounded: when too many are known at once, no further ones are let through until the hour is
/// over.
class Allowance {
public:
    static constexpr std::size_t most_known = 10'000;

    explicit Allowance(unsigned per_hour) : per_hour_(per_hour) {}
    /// Whether `who` has one left; takes it.
    bool take(const std::string& who, base::Moment now);

private:
    const unsigned per_hour_;
    std::mutex mutex_;
    base::Moment begun_{};
    std::unordered_map<std::string, unsigned> taken_;
};

}  // namespace postern::relay
