#include "tests/simulation/clock.h"

#include <pthread.h>

#include <algorithm>
#include <array>
#include <stdexcept>

namespace postern::simulation {

namespace {

constexpr auto at_rest_after = std::chrono::seconds(10);

const std::string& own_name() {
    thread_local const std::string own = [] {
        std::array<char, 32> name{};
        ::pthread_getname_np(::pthread_self(), name.data(), name.size());
        return std::string(name.data());
    }();
    return own;
}

}  // namespace

base::Moment Clock::now() const {
    const std::lock_guard lock(mutex_);
    return now_;
}

base::Time Clock::wall() const {
    const std::lock_guard lock(mutex_);
    return wall_;
}

base::Time Clock::steady() const {
    const std::lock_guard lock(mutex_);
    return steady_;
}

bool Clock::wait_until(std::condition_variable_any& woken, std::unique_lock<std::mutex>& lock,
                       const std::stop_token& stop, base::Moment until,
                       const std::function<bool()>& done) const {
    for (;;) {
        std::unique_lock own(mutex_);
        if (freely_) {
            const bool over = now_ >= until;
            own.unlock();
            if (done() || over || stop.stop_requested()) return done();
            woken.wait_for(lock, stop, std::chrono::milliseconds(1), done);
            continue;
        }
        own.unlock();
        if (done()) return true;
        if (std::this_thread::get_id() == simulating_)
            throw std::logic_error("the thread that simulates waits for another one");
        // Whoever looks at what it waits for must be able to lock this.
        lock.unlock();
        own.lock();
        Parked self{lock.mutex(), stop, until, done};
        if (!parked_.emplace(own_name(), &self).second)
            throw std::logic_error("two threads are called " + own_name());
        somebody_runs_ = false;
        changed_.notify_all();
        self.waits.wait(own, [&] { return self.turn || freely_; });
        parked_.erase(own_name());
        const bool turn = self.turn, over = now_ >= until;
        own.unlock();
        lock.lock();
        if (turn && (done() || over || stop.stop_requested())) return done();
    }
}

void Clock::wait_for_threads(std::size_t count) const {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return parked_.size() == count; });
    somebody_runs_ = false;
}

bool Clock::is_ready(const Parked& parked) const {
    if (now_ >= parked.until || parked.stop.stop_requested()) return true;
    const std::lock_guard lock(*parked.mutex);
    return parked.done();
}

std::vector<std::string> Clock::ready() const {
    {
        const std::lock_guard lock(mutex_);
        looked_at_.assign(parked_.begin(), parked_.end());
    }
    std::vector<std::string> out;
    for (const auto& [name, one] : looked_at_)
        if (is_ready(*one)) out.push_back(name);
    return out;
}

void Clock::give_turn(const std::string& thread) const {
    std::unique_lock lock(mutex_);
    Parked& next = *parked_.at(thread);
    next.turn = true;
    somebody_runs_ = true;
    next.waits.notify_one();
    changed_.wait(lock, [this] { return !somebody_runs_; });
}

void Clock::let_run(bool freely) {
    const std::lock_guard lock(mutex_);
    freely_ = freely;
    for (const auto& [name, one] : parked_) one->waits.notify_one();
}

base::Moment Clock::first(Rings& rings) {
    while (!rings.empty() && rings.begin()->second.expired()) rings.erase(rings.begin());
    return rings.empty() ? base::Moment::max() : rings.begin()->first;
}

base::Moment Clock::next(base::Moment::duration late) const {
    const std::lock_guard lock(mutex_);
    base::Moment own = first(rings_);
    for (const auto& [name, one] : parked_) own = std::min(own, one->until);
    if (own < base::Moment::max() && now_ - happened_ >= at_rest_after) own += late;
    return std::min(own, first(exact_rings_));
}

bool Clock::pass(base::Moment until) {
    std::unique_lock lock(mutex_);
    bool any = false;
    for (;;) {
        Rings& rings = first(exact_rings_) < first(rings_) ? exact_rings_ : rings_;
        if (first(rings) > until || rings.empty()) break;
        auto next = rings.extract(rings.begin());
        pass_by(std::max(next.key(), now_) - now_);
        lock.unlock();
        if (const auto ring = next.mapped().lock()) {
            (*ring)();
            any = true;
        }
        lock.lock();
    }
    pass_by(std::max(until, now_) - now_);
    return any;
}

void Clock::pass_by(base::Moment::duration time) {
    now_ += time;
    wall_ += time;
    steady_ += time;
}

void Clock::step_wall(base::Time::duration by) {
    const std::lock_guard lock(mutex_);
    wall_ += by;
}

std::shared_ptr<void> Clock::set(base::Moment at, Ring ring) {
    auto out = std::make_shared<Ring>(std::move(ring));
    {
        const std::lock_guard lock(mutex_);
        if (at > now_) {
            (exact_ ? exact_rings_ : rings_).emplace(at, out);
            return out;
        }
    }
    (*out)();
    return out;
}

}  // namespace postern::simulation
