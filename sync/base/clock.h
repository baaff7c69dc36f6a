// The times there are, and waiting for them. Whoever needs time is given a clock at construction, so that a
// test can step it and a simulation let a week pass in seconds.
#pragma once

#include <chrono>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <stop_token>

namespace postern::base {

using Time = std::chrono::system_clock::time_point;
using Moment = std::chrono::steady_clock::time_point;

/// Ends waits that no thread makes, for a clock that the kernel's timers do not go by. Any thread.
class Alarms {
public:
    /// `ring` is called once, when the clock has come to `at`, on the thread that moves it: at once when it
    /// is there already. Not called any more when what this gives has gone.
    virtual std::shared_ptr<void> set(Moment at, std::function<void()> ring) = 0;

protected:
    ~Alarms() = default;
};

/// Any thread. It outlives whoever was given it.
class Clock {
public:
    Clock() = default;
    Clock(const Clock&) = delete;
    Clock& operator=(const Clock&) = delete;
    virtual ~Clock() = default;

    /// What only passes, of no meaning outside of this process: for deadlines, and for how long something
    /// takes.
    virtual Moment now() const = 0;
    /// What the clock on the wall shows, for arrivals, ages and what people read. An administrator or NTP may
    /// set it, in either direction.
    virtual Time wall() const = 0;
    /// A time that never steps, told as one of the wall: the wall's at the beginning, plus what has passed
    /// since, a suspended machine's sleep included. For due times and pauses that are kept or shown.
    virtual Time steady() const = 0;
    /// What the wall will show at a moment of the steady time, as far as can be known now.
    Time on_the_wall(Time steady_time) const { return steady_time + (wall() - steady()); }

    /// Waits on `woken` until `done`, at the latest until then, or until it is to stop; gives done().
    virtual bool wait_until(std::condition_variable_any& woken, std::unique_lock<std::mutex>& lock,
                            const std::stop_token& stop, Moment until,
                            const std::function<bool()>& done) const = 0;
    /// What ends a timer's wait; null: the kernel does.
    virtual Alarms* alarms() const { return nullptr; }
};

/// The machine's. The steady time begins with it, so that a process has one.
class SystemClock final : public Clock {
public:
    SystemClock();

    Moment now() const override;
    Time wall() const override;
    Time steady() const override;
    bool wait_until(std::condition_variable_any& woken, std::unique_lock<std::mutex>& lock,
                    const std::stop_token& stop, Moment until,
                    const std::function<bool()>& done) const override;

private:
    const Time wall_at_first_;
    const std::chrono::nanoseconds booted_at_first_;  // ago
};

}  // namespace postern::base
