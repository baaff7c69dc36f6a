// Times as people read them: by the clock on their wall, and how far away.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>

namespace postern::agent {

using WallTime = std::chrono::system_clock::time_point;

/// "2026-01-31T12:00:00.123Z", as iso_time() gives it; nullopt for anything else.
std::optional<WallTime> parse_iso_time(std::string_view text);

/// "2026-01-31 13:00:00 CET", in the zone of TZ or of the machine.
std::string local_time(WallTime time);

/// "in 4 min", "2 h ago", "3 d ago", "now".
std::string relative_time(WallTime time, WallTime now);

/// `text` with every time of iso_time() in it as local_time().
std::string with_local_times(std::string_view text);

}  // namespace postern::agent
