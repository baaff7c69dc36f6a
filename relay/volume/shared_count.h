// One limit of a sender as several gateways share it: what the others counted, and how much this one may take
// before they are told.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

#include "relay/volume/sliding_count.h"

namespace postern::relay {

/// How much each of so many gateways may take of a limit without a word to the others: together a twentieth,
/// which is what the sum may be beyond the limit.
std::uint32_t untold_most(std::uint64_t limit, unsigned gateways);

/// A value.
class SharedCount {
public:
    /// So many more were counted here.
    void add(std::uint32_t count) { untold_ += count; }
    /// Also what the others were told of already.
    void take_back(std::uint32_t count) {
        untold_ -= count < untold_ ? count : untold_;
        stale_ = stale_ || count > 0;
    }

    /// Whether the others have to be told before more is taken.
    bool must_tell(std::uint64_t limit, unsigned gateways) const {
        return untold_ >= untold_most(limit, gateways) + granted_;
    }
    /// What the others may have taken meanwhile, should they be as busy as this one, and not be told either.
    /// `own`: what counts of this one's.
    std::uint64_t unheard(unsigned gateways, std::uint64_t own) const {
        const std::uint64_t alone = untold_ > granted_ ? untold_ - granted_ : 0;
        return (alone < own ? alone : own) * (gateways - 1);
    }
    bool met() const { return met_; }  // since this start they were told, and answered
    /// Whether there is anything the others do not know as it is.
    bool news() const { return untold_ > 0 || granted_ > 0 || stale_; }

    /// The others do not know any more what they were told.
    void forgotten() { stale_ = true; }
    /// They are being told of all that was counted until now.
    void telling() {
        telling_ = untold_;
        stale_ = false;
    }
    /// They could not be.
    void not_told() { stale_ = true; }
    /// They were, and this is theirs.
    void told(std::uint32_t granted, const SlidingCount& others);

    std::uint64_t others(base::Time now, std::chrono::seconds period) const {
        return others_.sum(now, period);
    }
    /// What all gateways counted.
    SlidingCount with(const SlidingCount& own) const;

private:
    SlidingCount others_;
    std::uint32_t untold_ = 0, telling_ = 0;
    std::uint32_t granted_ = 0;  // told beforehand
    bool stale_ = false, met_ = false;
};

/// "148123=12,148124=3": the steps that count at `now`, by a clock that is so much ahead.
std::string steps_told(const SlidingCount& counts, base::Time now, std::chrono::seconds period,
                       std::chrono::seconds ahead);
/// The reverse. Steps that cannot be read, or are of another time, are passed over.
SlidingCount steps_heard(std::string_view text, base::Time now, std::chrono::seconds period,
                         std::chrono::seconds ahead);

}  // namespace postern::relay
