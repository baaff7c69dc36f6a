// How much a site takes at once, learnt from how it answers: pure values, the clock is the caller's.
#pragma once

#include <algorithm>
#include <chrono>

#include "relay/mail/message.h"

namespace postern::relay {

/// How many connections a site gets. Opens with a few, grows by one when as many transactions as it is wide
/// went well, and shrinks to what stands when a connection is refused or cut off while others stand.
class Window {
public:
    explicit Window(unsigned most) : most_(std::max(1u, most)), size_(std::min(first, double(most_))) {}

    unsigned size() const { return static_cast<unsigned>(size_); }
    void limit(unsigned most) {
        most_ = std::max(1u, most);
        size_ = std::min(size_, double(most_));
    }
    void good() { size_ = std::min(double(most_), size_ + 1 / size_); }
    void bad(unsigned standing) { size_ = std::clamp(double(standing), 1.0, size_); }
    void halve() { size_ = std::max(1.0, size_ / 2); }

private:
    static constexpr double first = 5;
    unsigned most_;
    double size_;
};

/// How many messages a minute a site gets; a second's worth may go at once.
class Pace {
public:
    void limit(unsigned per_minute) { per_minute_ = per_minute; }
    /// How long the next message has to wait; 0 for not at all.
    Time::duration wait(Time now) const {
        Time from = paused_until_;
        if (per_minute_ > 0) from = std::max(from, next_ - std::chrono::seconds(1));
        return std::max(from - now, Time::duration::zero());
    }
    void take(Time now) {
        if (per_minute_ == 0) return;
        next_ = std::max(next_, now) +
                std::chrono::duration_cast<Time::duration>(std::chrono::minutes(1)) / per_minute_;
    }
    void pause(Time until) { paused_until_ = std::max(paused_until_, until); }

private:
    unsigned per_minute_ = 0;
    Time next_{}, paused_until_{};
};

}  // namespace postern::relay
