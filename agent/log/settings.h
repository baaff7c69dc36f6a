// What of the log the administrator chooses.
#pragma once

#include <cstdint>

namespace postern::agent {

enum class LogFormat : std::uint8_t { text, json };
enum class LogLevel : std::uint8_t { error, warning, info, debug };

struct LogSettings {
    LogFormat format = LogFormat::text;
    LogLevel level = LogLevel::info;
    bool operator==(const LogSettings&) const = default;
};

}  // namespace postern::agent
