// So much at once, and then so much in a time: what a neighbour may cost another.
#pragma once

#include <algorithm>
#include <chrono>

#include "sync/base/clock.h"

namespace postern::base {

/// A value, exact to the tick; times are the caller's, of one clock that does not go back. Kept is only when
/// the bucket will be full again, so that it stands right however long nobody looks.
template <class Instant>
class BasicTokenBucket {
public:
    using Duration = typename Instant::duration;
    struct Rate {
        Duration each;   // until there is one more
        Duration whole;  // until an empty bucket is full: so many times `each` may be taken at once

        int at_once() const { return static_cast<int>(whole / each); }
    };

    /// Full at first.
    constexpr explicit BasicTokenBucket(Rate rate) : rate_(rate) {}

    /// From now on; what was taken so far is waited for as before.
    void limit(Rate rate) { rate_ = rate; }

    /// How long until there are so many; 0: they are there.
    Duration wait(Instant now, int tokens = 1) const {
        return std::max(std::max(full_, now) + tokens * rate_.each - rate_.whole - now, Duration::zero());
    }
    /// Takes them if there are so many.
    bool take(Instant now, int tokens = 1) {
        if (wait(now, tokens) > Duration::zero()) return false;
        full_ = std::max(full_, now) + tokens * rate_.each;
        return true;
    }
    /// So many more than were taken are spent, into debt where there are not so many; fewer when negative.
    void correct(int tokens) { full_ += tokens * rate_.each; }

private:
    Rate rate_;
    Instant full_{};  // when it is
};

using TokenBucket = BasicTokenBucket<Moment>;

}  // namespace postern::base
