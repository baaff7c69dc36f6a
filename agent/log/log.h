// The log: one line per event to standard error, as journald and files like it.
#pragma once

#include <functional>
#include <memory>
#include <string_view>

#include "agent/log/log_line.h"
#include "agent/log/settings.h"
#include "sync/base/clock.h"

namespace postern::agent {

/// Thread-safe; nobody waits for who reads it, see LogOutput. Under journald lines carry its priority instead
/// of a time.
class Log {
public:
    /// Lines show its wall time.
    Log(LogSettings settings, const base::Clock& clock);
    ~Log();
    Log(const Log&) = delete;
    Log& operator=(const Log&) = delete;

    /// Takes effect with the next line of each thread.
    void reload(LogSettings settings);

    bool enabled(LogLevel level) const;

    /// Writes one line: `fill` adds the fields. Not called when the level is not logged.
    template <class Fill>
    void write(LogLevel level, std::string_view event, Fill fill) {
        if (!enabled(level)) return;
        LogLine line = begin(level, event);
        fill(line);
        line.end();
        finish();
    }

    /// For a process that ends without destroying this: what waits is written, for a second at the most.
    void settle();

private:
    LogLine begin(LogLevel level, std::string_view event) const;
    void finish();

    struct Sink;
    std::unique_ptr<Sink> sink_;
};

}  // namespace postern::agent
