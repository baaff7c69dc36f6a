// How many requests single questions may cost a primary: two a second on average, forty at once.
#pragma once

#include <algorithm>
#include <chrono>

namespace postern::sync {

class Budget final {
public:
    using Clock = std::chrono::steady_clock;

    static constexpr double per_second = 2, at_once = 40;

    /// Takes `requests` if there are so many.
    bool take(double requests, Clock::time_point now);
    /// Corrects what was taken: by more, into debt, or by less.
    void correct(double requests) { left_ = std::min(left_ - requests, at_once); }

private:
    double left_ = at_once;
    Clock::time_point filled_{};
};

}  // namespace postern::sync
