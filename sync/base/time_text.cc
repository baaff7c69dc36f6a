#include "sync/base/time_text.h"

#include <array>
#include <cstdint>
#include <cstdio>

#include "sync/base/ascii.h"

namespace postern::base {
namespace {

using std::chrono::floor;
using std::chrono::milliseconds;
using std::chrono::seconds;
using std::chrono::system_clock;

constexpr std::string_view iso_form = "0000-00-00T00:00:00.000Z";  // 0: a digit

bool begins_with_iso_time(std::string_view text) {
    if (text.size() < iso_form.size()) return false;
    for (std::size_t at = 0; at < iso_form.size(); ++at) {
        const bool digit = is_digit(text[at]);
        if (iso_form[at] == '0' ? !digit : text[at] != iso_form[at]) return false;
    }
    return true;
}

std::tm utc_parts(std::time_t time) {
    std::tm parts{};
    gmtime_r(&time, &parts);
    return parts;
}

std::optional<Time> time_of(std::tm utc) {
    const std::time_t since = ::timegm(&utc);
    if (since < 0 || since >> 33 != 0) return std::nullopt;  // the clock counts nanoseconds: to the year 2242
    return system_clock::from_time_t(since);
}

/// What is behind the time that `form` reads (strptime(3)); null when it is not there.
const char* read(const std::string& text, const char* form, std::tm& parts) {
    return ::strptime(text.c_str(), form, &parts);
}

std::string shown(const char* form, const std::tm& parts) {
    std::array<char, 80> text{};
    return {text.data(), std::strftime(text.data(), text.size(), form, &parts)};
}

}  // namespace

std::string iso_time(Time time) {
    const auto since = floor<milliseconds>(time.time_since_epoch()).count();
    if (since <= 0) return {};
    const std::tm parts = utc_parts(static_cast<std::time_t>(since / 1000));
    std::array<char, 64> text{};
    const int length = std::snprintf(text.data(), text.size(), "%04d-%02d-%02dT%02d:%02d:%02d.%03dZ",
                                     parts.tm_year + 1900, parts.tm_mon + 1, parts.tm_mday, parts.tm_hour,
                                     parts.tm_min, parts.tm_sec, static_cast<int>(since % 1000));
    return {text.data(), static_cast<std::size_t>(length)};
}

std::optional<Time> parse_iso_time(std::string_view text) {
    std::tm parts{};
    const std::string copy(text);
    const char* end = read(copy, "%Y-%m-%dT%H:%M:%S", parts);
    if (end == nullptr) return std::nullopt;
    milliseconds fraction{0};
    if (*end == '.') {
        int worth = 100;
        for (++end; is_digit(*end); ++end, worth /= 10) fraction += milliseconds((*end - '0') * worth);
    }
    if (std::string_view(end) != "Z" && std::string_view(end) != "+00:00") return std::nullopt;
    const auto second = time_of(parts);
    return second ? std::optional(*second + fraction) : std::nullopt;
}

std::string_view IsoTimes::text(Time time) {
    const auto second = floor<seconds>(time);
    if (text_.empty() || second != second_) {
        text_ = iso_time(time);
        second_ = second;
        return text_;
    }
    const auto fraction = floor<milliseconds>(time - second).count();
    const std::size_t at = text_.size() - 4;  // of "123Z"
    text_[at] = static_cast<char>('0' + fraction / 100);
    text_[at + 1] = static_cast<char>('0' + fraction / 10 % 10);
    text_[at + 2] = static_cast<char>('0' + fraction % 10);
    return text_;
}

std::string iso_day(const std::tm& utc) { return shown("%Y-%m-%d", utc); }

std::string date_time(Time time) {
    // Not strftime: its names follow the locale.
    static constexpr std::array<const char*, 7> days{"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
    static constexpr std::array<const char*, 12> months{"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                                        "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    const std::tm utc = utc_parts(system_clock::to_time_t(time));
    std::array<char, 64> out{};
    std::snprintf(out.data(), out.size(), "%s, %d %s %d %02d:%02d:%02d +0000",
                  days[static_cast<std::size_t>(utc.tm_wday)], utc.tm_mday,
                  months[static_cast<std::size_t>(utc.tm_mon)], utc.tm_year + 1900, utc.tm_hour, utc.tm_min,
                  utc.tm_sec);
    return out.data();
}

std::optional<Time> parse_http_date(std::string_view field) {
    std::tm parts{};
    const std::string text(field);
    const char* end = read(text, "%a, %d %b %Y %H:%M:%S GMT", parts);
    if (end == nullptr || *end != '\0') return std::nullopt;
    return time_of(parts);
}

std::string dotnet_time(Time time) {
    auto text = iso_time(time);
    text.insert(text.size() - 1, "0000");
    return text;
}

std::string dotnet_span(seconds span) {
    const auto two = [](std::int64_t number) { return (number < 10 ? "0" : "") + std::to_string(number); };
    const auto count = static_cast<std::int64_t>(span.count());
    return std::to_string(count / 86400) + '.' + two(count / 3600 % 24) + ':' + two(count / 60 % 60) + ':' +
           two(count % 60);
}

std::string local_time(Time time) {
    const std::time_t since = system_clock::to_time_t(floor<seconds>(time));
    std::tm parts{};
    tzset();  // localtime_r() need not
    localtime_r(&since, &parts);
    return shown("%Y-%m-%d %H:%M:%S %Z", parts);
}

std::string with_local_times(std::string_view text) {
    std::string out;
    while (!text.empty()) {
        if (begins_with_iso_time(text))
            if (const auto time = parse_iso_time(text.substr(0, iso_form.size()))) {
                out += local_time(*time);
                text.remove_prefix(iso_form.size());
                continue;
            }
        out += text.front();
        text.remove_prefix(1);
    }
    return out;
}

std::string relative_time(Time time, Time now) {
    const bool ahead = time > now;
    const auto count = std::chrono::round<seconds>(ahead ? time - now : now - time).count();
    if (count == 0) return "now";
    struct Unit {
        std::int64_t seconds, up_to;
        const char* name;
    };
    // Two digits say enough; hours up to two days, as what waits is spoken of.
    constexpr std::array<Unit, 4> units{
        {{1, 120, "s"}, {60, 7200, "min"}, {3600, 172'800, "h"}, {86'400, 0, "d"}}};
    const Unit* unit = units.data();
    while (unit->up_to != 0 && count >= unit->up_to) ++unit;
    const std::string amount = std::to_string(count / unit->seconds) + ' ' + unit->name;
    return ahead ? "in " + amount : amount + " ago";
}

std::string span_in_words(seconds span) {
    using namespace std::chrono_literals;
    if (span >= 48h) return std::to_string(floor<std::chrono::hours>(span).count() / 24) + " days";
    if (span >= 2h) return std::to_string(floor<std::chrono::hours>(span).count()) + " hours";
    if (span >= 2min) return std::to_string(floor<std::chrono::minutes>(span).count()) + " minutes";
    return std::to_string(span.count()) + " seconds";
}

}  // namespace postern::base
