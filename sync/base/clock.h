// The two times there are: what the wall clock shows, which an administrator or NTP may set, and one that
// only passes. All waiting goes by the second; arrivals, ages and what people read go by the first.
#pragma once

#include <chrono>

namespace postern::base {

using Time = std::chrono::system_clock::time_point;

/// What the wall clock shows now. It may step in either direction from one call to the next.
Time wall_now();

/// A time that never steps: the wall clock as it was when the process first asked, plus what has passed
/// since, a suspended machine's sleep included. Due times, pauses and deadlines are in it. Any thread.
Time steady_now();

/// What the wall clock will show at a moment of the steady time, as far as can be known now: for what is
/// shown.
Time on_the_wall(Time steady);

}  // namespace postern::base
