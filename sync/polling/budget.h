// How many requests single questions may cost a primary, on average and at once.
#pragma once

#include <algorithm>
#include <chrono>

#include "sync/base/clock.h"

namespace postern::sync {

class Budget final {
public:
    struct Rate {
        double per_second, at_once;
    };
    /// Of domains that it has, and of those it is not known to have: anybody can name any number of these.
    static constexpr Rate listed{2, 40}, unlisted{0.5, 12};

    explicit Budget(Rate rate) : rate_(rate), left_(rate.at_once) {}

    /// Takes `requests` if there are so many.
    bool take(double requests, base::Moment now);
    /// Corrects what was taken: by more, into debt, or by less.
    void correct(double requests) { left_ = std::min(left_ - requests, rate_.at_once); }

private:
    Rate rate_;
    double left_;
    base::Moment filled_{};
};

}  // namespace postern::sync
