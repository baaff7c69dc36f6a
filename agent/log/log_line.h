// One event as one line of text: key=value or JSON, safe whatever the values contain.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

#include "agent/log/settings.h"
#include "sync/base/clock.h"

namespace postern::agent {

/// Appends `value` to `line`: bare when it is plain, else in quotes with \" \\ \n \r \t and \xNN for control
/// characters and octets that are not UTF-8. At most 1 KiB of it, then "...".
void append_text_value(std::string& line, std::string_view value);

/// Appends `value` as a JSON string; octets that are not UTF-8 become U+FFFD. At most 1 KiB of it, then
/// "...".
void append_json_value(std::string& line, std::string_view value);

/// `value` for a terminal: what acts on one (controls, turns of writing direction) and octets that are not
/// UTF-8 as \\xNN.
std::string printable(std::string_view value);

/// Writes into a buffer that the caller reuses. Keys are ours and need no escaping.
class LogLine {
public:
    /// Clears `buffer` and begins the line after `prefix`, which stands outside of the format.
    LogLine(std::string& buffer, LogFormat format, std::string_view prefix, std::string_view time,
            std::string_view level, std::string_view event);

    LogLine& add(std::string_view key, std::string_view value);
    LogLine& add(std::string_view key, std::uint64_t value);
    LogLine& add(std::string_view key, bool value);
    LogLine& add(std::string_view key, const char* value) { return add(key, std::string_view(value)); }
    /// Leaves the key out when there is no value.
    LogLine& add_if(std::string_view key, std::string_view value);
    LogLine& add_time(std::string_view key, base::Time value);
    LogLine& add_seconds(std::string_view key, std::chrono::microseconds value);  // "1.234"
    void end();

private:
    void begin_value(std::string_view key);

    std::string& buffer_;
    LogFormat format_;
};

}  // namespace postern::agent
