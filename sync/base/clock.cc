#include "sync/base/clock.h"

#include <time.h>

namespace postern::base {

namespace {

std::chrono::nanoseconds since_boot() {
    timespec now{};
    clock_gettime(CLOCK_BOOTTIME, &now);
    return std::chrono::seconds(now.tv_sec) + std::chrono::nanoseconds(now.tv_nsec);
}

}  // namespace

SystemClock::SystemClock()
    : wall_at_first_(std::chrono::system_clock::now()), booted_at_first_(since_boot()) {}

Moment SystemClock::now() const { return std::chrono::steady_clock::now(); }

Time SystemClock::wall() const { return std::chrono::system_clock::now(); }

Time SystemClock::steady() const {
    return wall_at_first_ + std::chrono::duration_cast<Time::duration>(since_boot() - booted_at_first_);
}

bool SystemClock::wait_until(std::condition_variable_any& woken, std::unique_lock<std::mutex>& lock,
                             const std::stop_token& stop, Moment until,
                             const std::function<bool()>& done) const {
    return woken.wait_until(lock, stop, until, [&done] { return done(); });
}

}  // namespace postern::base
