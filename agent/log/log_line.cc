#include "agent/log/log_line.h"

#include <array>
#include <charconv>

#include "sync/base/encoding.h"
#include "sync/base/time_text.h"
#include "sync/base/utf8.h"

namespace postern::agent {
namespace {

constexpr std::size_t longest_value = 1024;

/// What a terminal might act upon, or show other text in another order for: C0, DEL, C1, separators of lines,
/// and the marks, embeddings, overrides and isolates of the bidirectional algorithm (Unicode UAX #9).
bool is_control(char32_t point) {
    return point < 0x20 || (point >= 0x7f && point < 0xa0) || point == 0x061c || point == 0x200e ||
           point == 0x200f || (point >= 0x2028 && point <= 0x202e) || (point >= 0x2066 && point <= 0x2069);
}

/// Each octet behind "\\x".
void append_escaped(std::string& line, std::string_view octets) {
    for (const char& c : octets) line.append("\\x").append(base::hex({&c, 1}));
}

/// Of a character of the basic plane.
void append_json_escape(std::string& line, char32_t point) {
    const char octets[] = {static_cast<char>(point >> 8), static_cast<char>(point & 0xff)};
    line.append("\\u").append(base::hex({octets, 2}));
}

bool is_plain(std::string_view value) {
    if (value.empty()) return false;
    for (const char c : value)
        if (c <= ' ' || c > '~' || c == '"' || c == '\\' || c == '=') return false;
    return true;
}

/// Calls `plain` for characters that may stand as they are, `control` and `broken` for the others.
template <class Plain, class Control, class Broken>
void each_character(std::string_view value, Plain plain, Control control, Broken broken) {
    while (!value.empty()) {
        std::string_view rest = value;
        const auto point = base::take_character(rest);
        const auto character = value.substr(0, point ? value.size() - rest.size() : 1);
        if (!point)
            broken(character);
        else if (is_control(*point))
            control(character, *point);
        else
            plain(character);
        value.remove_prefix(character.size());
    }
}

char short_escape(std::string_view character) {
    switch (character[0]) {
        case '\n': return 'n';
        case '\r': return 'r';
        case '\t': return 't';
        default: return '\0';
    }
}

}  // namespace

void append_text_value(std::string& line, std::string_view value) {
    const auto kept = value.substr(0, longest_value);
    if (is_plain(kept) && kept.size() == value.size()) {
        line.append(kept);
        return;
    }
    line += '"';
    const auto escape = [&line](std::string_view octets) { append_escaped(line, octets); };
    each_character(
        kept,
        [&line](std::string_view character) {
            if (character == "\"" || character == "\\") line += '\\';
            line.append(character);
        },
        [&](std::string_view character, char32_t) {
            if (const char letter = short_escape(character))
                (line += '\\') += letter;
            else
                escape(character);
        },
        escape);
    line.append(kept.size() < value.size() ? "...\"" : "\"");
}

void append_json_value(std::string& line, std::string_view value) {
    const auto kept = value.substr(0, longest_value);
    line += '"';
    each_character(
        kept,
        [&line](std::string_view character) {
            if (character == "\"" || character == "\\") line += '\\';
            line.append(character);
        },
        [&line](std::string_view character, char32_t point) {
            if (const char letter = short_escape(character))
                (line += '\\') += letter;
            else
                append_json_escape(line, point);
        },
        [&line](std::string_view) { line.append("\xef\xbf\xbd"); });
    line.append(kept.size() < value.size() ? "...\"" : "\"");
}

std::string printable(std::string_view value) {
    std::string text;
    const auto escape = [&text](std::string_view octets) { append_escaped(text, octets); };
    each_character(
        value, [&text](std::string_view character) { text.append(character); },
        [&](std::string_view character, char32_t) { escape(character); }, escape);
    return text;
}

LogLine::LogLine(std::string& buffer, LogFormat format, std::string_view prefix, std::string_view time,
                 std::string_view level, std::string_view event)
    : buffer_(buffer), format_(format) {
    buffer_.assign(prefix);
    if (format_ == LogFormat::json) {
        buffer_ += '{';
        if (!time.empty()) add("time", time);
        add("level", level).add("event", event);
        return;
    }
    if (!time.empty()) buffer_.append(time).append(" ");
    if (level != "info") buffer_.append("level=").append(level).append(" ");
    buffer_.append(event);
}

void LogLine::begin_value(std::string_view key) {
    if (format_ == LogFormat::text) {
        buffer_.append(" ").append(key).append("=");
        return;
    }
    if (buffer_.back() != '{') buffer_ += ',';
    buffer_.append("\"").append(key).append("\":");
}

LogLine& LogLine::add(std::string_view key, std::string_view value) {
    begin_value(key);
    if (format_ == LogFormat::text)
        append_text_value(buffer_, value);
    else
        append_json_value(buffer_, value);
    return *this;
}

LogLine& LogLine::add(std::string_view key, std::uint64_t value) {
    begin_value(key);
    std::array<char, 24> digits{};
    const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), value).ptr;
    buffer_.append(digits.data(), end);
    return *this;
}

LogLine& LogLine::add(std::string_view key, bool value) {
    begin_value(key);
    buffer_.append(value ? "true" : "false");
    return *this;
}

LogLine& LogLine::add_if(std::string_view key, std::string_view value) {
    return value.empty() ? *this : add(key, value);
}

LogLine& LogLine::add_time(std::string_view key, base::Time value) {
    return add_if(key, base::iso_time(value));
}

LogLine& LogLine::add_seconds(std::string_view key, std::chrono::microseconds value) {
    begin_value(key);
    std::array<char, 48> digits{};
    const double seconds = static_cast<double>(value.count() < 0 ? 0 : value.count()) / 1e6;
    const auto end =
        std::to_chars(digits.data(), digits.data() + digits.size(), seconds, std::chars_format::fixed, 3).ptr;
    buffer_.append(digits.data(), end);
    return *this;
}

void LogLine::end() {
    if (format_ == LogFormat::json) buffer_ += '}';
}

}  // namespace postern::agent
