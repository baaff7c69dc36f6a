// How much strangers may hand in for one of those behind us: so many an hour, and no more.
#pragma once

#include <chrono>
#include <string>
#include <unordered_map>

namespace postern::relay {

/// Bounded: when too many are known at once, no further ones are let through until the hour is over.
class Allowance {
public:
    using Clock = std::chrono::steady_clock;
    static constexpr std::size_t most_known = 10'000;

    explicit Allowance(unsigned per_hour) : per_hour_(per_hour) {}
    /// Whether `who` has one left; takes it.
    bool take(const std::string& who, Clock::time_point now);

private:
    unsigned per_hour_;
    Clock::time_point begun_{};
    std::unordered_map<std::string, unsigned> taken_;
};

}  // namespace postern::relay
