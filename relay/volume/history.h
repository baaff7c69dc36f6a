// What is usual for one sender: how many recipients in which hour of the day.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "sync/base/clock.h"

namespace postern::relay {

/// Means of an hour, by hours of the day in UTC, weekdays and weekends apart. What is older counts less: half
/// as much after two weeks. A value; the hour that is being counted is no history yet.
class History {
public:
    static constexpr std::size_t hours = 24, kinds = 2;  // of days: weekdays, weekends

    /// So many recipients more, in the hour of `at`; `sure`: whatever was usual, that is.
    void add(base::Time at, std::uint32_t recipients, bool sure = false);
    /// What was added in the hour of `at` is no example and not learnt. Gives how much that was.
    std::uint32_t disregard(base::Time at);
    /// An hour that was like that, whenever it was: at most some days before what was added last.
    void learn(base::Time at, double recipients);
    /// From the next hour on only so much of one is learnt that what grows slowly stays slow; before that,
    /// all.
    void be_careful() { careful_ = true; }

    /// Recipients in the hour of `at` and the two around it, the largest mean; and in a day of its kind.
    double mean_hour(base::Time at) const;
    double mean_day(base::Time at) const;
    double busiest_hour() const;  // the largest mean there is
    /// Days that went into it, of the kind that `at` is of.
    unsigned days(base::Time at) const;
    /// Of those, in all.
    unsigned days() const { return days_[0] + days_[1]; }
    base::Time last() const;  // the day that was added to last

    /// Which share of recipients is new to the sender, usually.
    double fresh_share() const { return fresh_ / 65535.0; }
    void see_fresh(std::uint32_t recipients, std::uint32_t fresh);

    using Means = std::array<std::array<double, hours>, kinds>;
    void add_to(Means& sums, double most) const;  // of each, at the most so much
    static History of_means(const Means& means);

    /// "20420 12 4 30 6:10=2.5 …": for whoever keeps it.
    std::string text() const;
    static History of(std::string_view text);  // as far as it can be read

private:
    struct Slot {
        std::size_t kind = 0, hour = 0;
    };
    static std::int64_t day_of(base::Time at);
    static std::size_t kind_of(std::int64_t day);
    static Slot slot_of(std::int64_t hour);
    double get(std::size_t kind, std::size_t hour) const;
    void put(std::size_t kind, std::size_t hour, double mean);
    double weight(std::size_t kind) const;
    void pass_to(std::int64_t day);
    void follow(std::int64_t day);
    void fold();

    std::array<std::array<std::uint16_t, hours>, kinds> means_{};  // 128 times the square root
    std::array<std::uint16_t, kinds> days_{};
    std::uint16_t fresh_ = 65535;
    bool careful_ = false, sure_ = false;
    std::uint32_t peak_ = 0;  // of an hour that was learnt; a little less each day
    std::int32_t day_ = 0;    // up to which days have been counted; 0: none has
    std::int32_t hour_ = 0;   // since 1970, that is being counted
    std::uint32_t count_ = 0;
};
static_assert(sizeof(History) <= 128);

}  // namespace postern::relay
