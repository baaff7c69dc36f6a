#include "agent/log.h"

#include <spdlog/logger.h>
#include <spdlog/pattern_formatter.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cstdlib>
#include <string>

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

/// The current time, its part down to the second formatted once a second and thread.
std::string_view now_text() {
    static thread_local std::string text;
    static thread_local std::chrono::system_clock::time_point second;
    const auto now = std::chrono::system_clock::now();
    const auto whole = std::chrono::floor<std::chrono::seconds>(now);
    if (text.empty() || whole != second) {
        text = iso_time(now);
        second = whole;
        return text;
    }
    const auto milliseconds = std::chrono::floor<std::chrono::milliseconds>(now - whole).count();
    const std::size_t at = text.size() - 4;  // of "123Z"
    text[at] = static_cast<char>('0' + milliseconds / 100);
    text[at + 1] = static_cast<char>('0' + milliseconds / 10 % 10);
    text[at + 2] = static_cast<char>('0' + milliseconds % 10);
    return text;
}

}  // namespace

struct Log::Sink {
    spdlog::logger logger{"postern", std::make_shared<spdlog::sinks::stderr_sink_mt>()};
    bool journal = stderr_is_journal();
    std::atomic<LogFormat> format;
    std::atomic<LogLevel> level;

    explicit Sink(LogSettings settings) : format(settings.format), level(settings.level) {
        logger.set_pattern("%v");
        logger.set_level(spdlog::level::trace);
    }
};

Log::Log(LogSettings settings) : sink_(std::make_unique<Sink>(settings)) {}
Log::~Log() = default;

void Log::reload(LogSettings settings) {
    sink_->format = settings.format;
    sink_->level = settings.level;
}

bool Log::enabled(LogLevel level) const { return level <= sink_->level.load(std::memory_order_relaxed); }

LogLine Log::begin(LogLevel level, std::string_view event) const {
    const auto& names = level_names[static_cast<std::size_t>(level)];
    const auto format = sink_->format.load(std::memory_order_relaxed);
    if (sink_->journal) return {line_buffer(), format, names.priority, "", names.name, event};
    return {line_buffer(), format, "", now_text(), names.name, event};
}

void Log::finish() { sink_->logger.log(spdlog::level::info, spdlog::string_view_t(line_buffer())); }

}  // namespace postern::agent
