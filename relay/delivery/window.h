// How much a site takes at once, learnt from how it answers: pure values, the clock is the caller's.
#pragma once

#include <algorithm>
#include <chrono>

#include "relay/mail/message.h"
#include "sync/base/token_bucket.h"

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
    void limit(unsigned per_minute) {
        limited_ = per_minute > 0;
        if (!limited_) return;
        const auto each = std::chrono::duration_cast<Time::duration>(std::chrono::minutes(1)) / per_minute;
        room_.limit({each, each + std::chrono::seconds(1)});
    }
    /// How long the next message has to wait; 0 for not at all.
    Time::duration wait(Time now) const {
        const auto pause = std::max(paused_until_ - now, Time::duration::zero());
        return limited_ ? std::max(pause, room_.wait(now)) : pause;
    }
    /// Of one that has not to wait.
    void take(Time now) {
        if (limited_) room_.take(now);
    }
    void pause(Time until) { paused_until_ = std::max(paused_until_, until); }

private:
    bool limited_ = false;
    base::BasicTokenBucket<Time> room_{{}};
    Time paused_until_{};
};

}  // namespace postern::relay
