// How many there were in the last minute, hour or day.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "sync/base/clock.h"

namespace postern::relay {

/// In steps of a twelfth of its length: the first of them goes as a whole. A value; times do not step back.
class SlidingCount {
public:
    static constexpr std::size_t steps = 12;

    /// `at` may be earlier than what was added last. What is older than the length does not count.
    void add(base::Time at, std::chrono::seconds length, std::uint32_t count);
    void take_back(base::Time at, std::chrono::seconds length, std::uint32_t count);
    std::uint64_t sum(base::Time now, std::chrono::seconds length) const;
    /// When at most `left` of them will count, should no more be added.
    base::Time falls_to(std::uint64_t left, base::Time now, std::chrono::seconds length) const;

    struct Step {
        std::int64_t number = 0;  // of steps since 1970
        std::uint32_t count = 0;
    };
    /// For whoever keeps it.
    const std::array<Step, steps>& all() const { return steps_; }
    void put(const Step& step);
    /// At least as many in each step as the other has.
    void raise_to(const SlidingCount& other);
    /// Of the step at that time.
    static std::int64_t number_of(base::Time at, std::chrono::seconds length);

private:
    Step& step_at(std::int64_t number);

    std::array<Step, steps> steps_{};
    /// Of the steps at the time of the last sum(), so that the next one does not go through them; none when
    /// a step is begun.
    static constexpr std::int64_t none = -1;
    mutable std::int64_t summed_at_ = none;
    mutable std::uint64_t summed_ = 0;
};

}  // namespace postern::relay
