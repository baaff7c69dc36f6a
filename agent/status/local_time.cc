#include "agent/status/local_time.h"

#include <array>
#include <cstdio>
#include <ctime>

#include "sync/base/ascii.h"

namespace postern::agent {
namespace {

constexpr std::string_view pattern = "0000-00-00T00:00:00.000Z";  // 0: a digit

bool fits(std::string_view text) {
    if (text.size() < pattern.size()) return false;
    for (std::size_t at = 0; at < pattern.size(); ++at) {
        const bool digit = base::is_digit(text[at]);
        if (pattern[at] == '0' ? !digit : text[at] != pattern[at]) return false;
    }
    return true;
}

}  // namespace

std::optional<WallTime> parse_iso_time(std::string_view text) {
    if (text.size() != pattern.size() || !fits(text)) return std::nullopt;
    const auto number = [&](std::size_t at, std::size_t digits) {
        int value = 0;
        for (std::size_t end = at + digits; at < end; ++at) value = value * 10 + (text[at] - '0');
        return value;
    };
    std::tm parts{};
    parts.tm_year = number(0, 4) - 1900;
    parts.tm_mon = number(5, 2) - 1;
    parts.tm_mday = number(8, 2);
    parts.tm_hour = number(11, 2);
    parts.tm_min = number(14, 2);
    parts.tm_sec = number(17, 2);
    return std::chrono::system_clock::from_time_t(timegm(&parts)) + std::chrono::milliseconds(number(20, 3));
}

std::string local_time(WallTime time) {
    const std::time_t seconds =
        std::chrono::system_clock::to_time_t(std::chrono::floor<std::chrono::seconds>(time));
    std::tm parts{};
    tzset();  // localtime_r() need not
    localtime_r(&seconds, &parts);
    std::array<char, 80> text{};
    return {text.data(), std::strftime(text.data(), text.size(), "%Y-%m-%d %H:%M:%S %Z", &parts)};
}

std::string relative_time(WallTime time, WallTime now) {
    using namespace std::chrono;
    const bool ahead = time > now;
    const auto seconds = round<std::chrono::seconds>(ahead ? time - now : now - time).count();
    if (seconds == 0) return "now";
    struct Unit {
        std::int64_t seconds, up_to;
        const char* name;
    };
    // Two digits say enough; hours up to two days, as what waits is spoken of.
    constexpr std::array<Unit, 4> units{
        {{1, 120, "s"}, {60, 7200, "min"}, {3600, 172'800, "h"}, {86'400, 0, "d"}}};
    const Unit* unit = units.data();
    while (unit->up_to != 0 && seconds >= unit->up_to) ++unit;
    const std::string amount = std::to_string(seconds / unit->seconds) + ' ' + unit->name;
    return ahead ? "in " + amount : amount + " ago";
}

std::string with_local_times(std::string_view text) {
    std::string out;
    while (!text.empty()) {
        if (fits(text)) {
            out += local_time(*parse_iso_time(text.substr(0, pattern.size())));
            text.remove_prefix(pattern.size());
            continue;
        }
        out += text.front();
        text.remove_prefix(1);
    }
    return out;
}

}  // namespace postern::agent
