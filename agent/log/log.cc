#include "agent/log/log.h"

#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cstdlib>
#include <string>

#include "agent/log/output.h"
#include "sync/base/time_text.h"

namespace postern::agent {
namespace {

struct LevelNames {
    std::string_view name, priority;  // priority: syslog's, as sd-daemon(3) wants it
};
constexpr std::array<LevelNames, 4> level_names{
    {{"error", "<3>"}, {"warning", "<4>"}, {"info", "<6>"}, {"debug", "<7>"}}};

/// Whether standard error is the journal's socket: JOURNAL_STREAM holds its device and inode
/// (systemd.exec(5)).
bool stderr_is_journal() {
    const char* stream = std::getenv("JOURNAL_STREAM");
    struct stat status {};
    if (!stream || fstat(STDERR_FILENO, &status) != 0) return false;
    return stream == std::to_string(status.st_dev) + ':' + std::to_string(status.st_ino);
}

std::string& line_buffer() {
    static thread_local std::string buffer;
    return buffer;
}

std::string_view text_of(base::Time now) {
    static thread_local base::IsoTimes times;
    return times.text(now);
}

}  // namespace

struct Log::Sink {
    bool journal = stderr_is_journal();
    std::atomic<LogFormat> format;
    std::atomic<LogLevel> level;
    const base::Clock& clock;
    LogOutput output{STDERR_FILENO, [this](std::uint64_t dropped) { return gap(dropped); }};

    Sink(LogSettings settings, const base::Clock& clock_)
        : format(settings.format), level(settings.level), clock(clock_) {}

    LogLine begin(std::string& buffer, LogLevel of_line, std::string_view event) const {
        const auto& names = level_names[static_cast<std::size_t>(of_line)];
        const auto written_as = format.load(std::memory_order_relaxed);
        if (journal) return {buffer, written_as, names.priority, "", names.name, event};
        return {buffer, written_as, "", text_of(clock.wall()), names.name, event};
    }

    std::string gap(std::uint64_t dropped) const {
        std::string buffer;
        LogLine line = begin(buffer, LogLevel::warning, "trouble");
        line.add("where", "log").add("text", std::to_string(dropped) + " log lines were dropped");
        line.end();
        return buffer.append("\n");
    }
};

Log::Log(LogSettings settings, const base::Clock& clock) : sink_(std::make_unique<Sink>(settings, clock)) {}
Log::~Log() = default;

void Log::reload(LogSettings settings) {
    sink_->format = settings.format;
    sink_->level = settings.level;
}

bool Log::enabled(LogLevel level) const { return level <= sink_->level.load(std::memory_order_relaxed); }

LogLine Log::begin(LogLevel level, std::string_view event) const {
    return sink_->begin(line_buffer(), level, event);
}

void Log::finish() { sink_->output.write(line_buffer().append("\n")); }

void Log::settle() { sink_->output.settle(std::chrono::seconds(1)); }

}  // namespace postern::agent
