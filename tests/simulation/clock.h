// Time in a simulation: it passes when everybody waits, and of all threads one runs at a time, so that the
// same seed makes the same history.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <stop_token>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "sync/base/clock.h"

namespace postern::simulation {

/// The thread that makes it is the one that simulates. Another thread is held where it waits by this clock
/// until it is given a turn; from its start to its first wait it must touch nothing that others use.
class Clock final : public base::Clock, private base::Alarms {
public:
    explicit Clock(base::Time wall) : wall_(wall), steady_(wall) {}

    base::Moment now() const override;
    base::Time wall() const override;
    base::Time steady() const override;
    bool wait_until(std::condition_variable_any& woken, std::unique_lock<std::mutex>& lock,
                    const std::stop_token& stop, base::Moment until,
                    const std::function<bool()>& done) const override;
    base::Alarms* alarms() const override { return const_cast<Clock*>(this); }

    // By the thread that simulates.
    void wait_for_threads(std::size_t count) const;  // until so many wait
    /// Those that could go on, by their names.
    std::vector<std::string> ready() const;
    /// Lets it go on to where it waits next.
    void give_turn(const std::string& thread) const;
    /// From now on threads wait for each other by themselves, while no time passes; or again as before.
    void let_run(bool freely);
    /// Something happens that others than the gateway's own alarms and threads have begun.
    void happens() const { happened_ = now_; }
    /// Alarms that are set while this is so ring at their very time.
    void be_exact(bool now) { exact_ = now; }
    /// When the first of all waits is over; max: nobody waits for a time. Where nothing has happened for a
    /// while the gateway's own waits are over late, as on a machine that has other things to do: a day has
    /// many seconds in which it only looks whether there is something to do. `late`: by chance.
    base::Moment next(base::Moment::duration late) const;
    /// What comes due rings, in its order, while it is its time. Whether anything did.
    bool pass(base::Moment until);
    void step_wall(base::Time::duration by);  // somebody sets it

private:
    using Ring = std::function<void()>;
    struct Parked {
        std::mutex* mutex;
        const std::stop_token& stop;
        base::Moment until;
        const std::function<bool()>& done;
        bool turn = false;
        std::condition_variable waits{};
    };

    std::shared_ptr<void> set(base::Moment at, Ring ring) override;
    bool is_ready(const Parked& parked) const;
    void pass_by(base::Moment::duration time);

    const std::thread::id simulating_ = std::this_thread::get_id();
    mutable std::mutex mutex_;
    mutable std::condition_variable changed_;
    mutable std::map<std::string, Parked*> parked_;  // by the names of threads
    mutable std::vector<std::pair<std::string, Parked*>> looked_at_;
    mutable bool somebody_runs_ = false;
    bool freely_ = false;
    base::Moment now_{std::chrono::hours(1000)};
    mutable base::Moment happened_ = now_;
    base::Time wall_, steady_;
    bool exact_ = true;
    using Rings = std::multimap<base::Moment, std::weak_ptr<Ring>>;
    static base::Moment first(Rings& rings);
    mutable Rings rings_, exact_rings_;  // the gateway's own, and the others'
};

}  // namespace postern::simulation
