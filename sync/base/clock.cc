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

Time wall_now() { return std::chrono::system_clock::now(); }

Time steady_now() {
    struct Anchor {
        Time wall = wall_now();
        std::chrono::nanoseconds boot = since_boot();
    };
    static const Anchor anchor;
    return anchor.wall + std::chrono::duration_cast<Time::duration>(since_boot() - anchor.boot);
}

Time on_the_wall(Time steady) { return steady + (wall_now() - steady_now()); }

}  // namespace postern::base
