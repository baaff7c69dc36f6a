// A clock that stands still until a test moves it.
#pragma once

#include <map>
#include <utility>

#include "sync/base/clock.h"

namespace postern::tests {

/// Any thread. Threads that wait for a time look at it every millisecond; timers are told by step().
class SteppedClock final : public base::Clock, private base::Alarms {
public:
    explicit SteppedClock(base::Time wall = std::chrono::sys_days(std::chrono::year(2026) / 1 / 1))
        : wall_(wall), steady_(wall) {}

    base::Moment now() const override {
        const std::lock_guard lock(mutex_);
        return now_;
    }
    base::Time wall() const override {
        const std::lock_guard lock(mutex_);
        return wall_;
    }
    base::Time steady() const override {
        const std::lock_guard lock(mutex_);
        return steady_;
    }
    bool wait_until(std::condition_variable_any& woken, std::unique_lock<std::mutex>& lock,
                    const std::stop_token& stop, base::Moment until,
                    const std::function<bool()>& done) const override {
        while (!done() && !stop.stop_requested() && now() < until)
            woken.wait_for(lock, stop, std::chrono::milliseconds(1), [&done] { return done(); });
        return done();
    }
    base::Alarms* alarms() const override { return const_cast<SteppedClock*>(this); }

    /// So much passes. What comes due meanwhile rings in its order, while it is its time.
    void step(base::Moment::duration time) {
        std::unique_lock lock(mutex_);
        const base::Moment end = now_ + time;
        while (!rings_.empty() && rings_.begin()->first <= end) {
            auto next = rings_.extract(rings_.begin());
            pass(std::max(next.key(), now_) - now_);
            lock.unlock();
            if (const auto ring = next.mapped().lock()) (*ring)();
            lock.lock();
        }
        pass(end - now_);
    }
    /// Somebody sets the clock on the wall.
    void set_wall(base::Time wall) {
        const std::lock_guard lock(mutex_);
        wall_ = wall;
    }
    /// When somebody waits for next; max: nobody does.
    base::Moment next() {
        const std::lock_guard lock(mutex_);
        while (!rings_.empty() && rings_.begin()->second.expired()) rings_.erase(rings_.begin());
        return rings_.empty() ? base::Moment::max() : rings_.begin()->first;
    }

private:
    using Ring = std::function<void()>;

    std::shared_ptr<void> set(base::Moment at, Ring ring) override {
        auto out = std::make_shared<Ring>(std::move(ring));
        {
            const std::lock_guard lock(mutex_);  // no step passes between the look and the entry
            if (at > now_) {
                rings_.emplace(at, out);
                return out;
            }
        }
        (*out)();
        return out;
    }
    void pass(base::Moment::duration time) {
        now_ += time;
        wall_ += time;
        steady_ += time;
    }

    mutable std::mutex mutex_;
    base::Moment now_{std::chrono::hours(1000)};
    base::Time wall_, steady_;
    std::multimap<base::Moment, std::weak_ptr<Ring>> rings_;
};

}  // namespace postern::tests
