// Times and lengths of time as text, and such text read again: each form there is, once. Pure, but for the
// zone of the machine in what is local.
#pragma once

#include <chrono>
#include <ctime>
#include <optional>
#include <string>
#include <string_view>

#include "sync/base/clock.h"

namespace postern::base {

// For programs, in UTC.

/// RFC 3339, "2026-01-31T12:00:00.123Z"; "" for the epoch, which stands for "never" here.
std::string iso_time(Time time);

/// "2026-01-31T12:00:00Z" with or without decimals, of which the first three count; nullopt when it is not of
/// that form, or is beyond what Time can hold.
std::optional<Time> parse_iso_time(std::string_view text);

/// iso_time() of one time after the other: what is the same as before is not made again. One thread.
class IsoTimes {
public:
    /// Stands until the next one.
    std::string_view text(Time time);

private:
    std::string text_;
    Time second_;
};

/// "2026-01-31", of any year there may be.
std::string iso_day(const std::tm& utc);

/// RFC 5322 §3.3, as in header fields of mail: "Sat, 31 Jan 2026 12:00:00 +0000".
std::string date_time(Time time);

/// RFC 9110 §5.6.7, as in header fields of HTTP: "Sat, 31 Jan 2026 12:00:00 GMT"; nullopt as above.
std::optional<Time> parse_http_date(std::string_view field);

/// As .NET writes a time and a length of time: "2026-01-31T12:00:00.1230000Z", "1.02:03:04".
std::string dotnet_time(Time time);
std::string dotnet_span(std::chrono::seconds span);

// For people.

/// "2026-01-31 13:00:00 CET", in the zone of TZ or of the machine.
std::string local_time(Time time);

/// `text` with every time of iso_time() in it as local_time().
std::string with_local_times(std::string_view text);

/// "in 4 min", "2 h ago", "3 d ago", "now".
std::string relative_time(Time time, Time now);

/// "5 days", "90 minutes": in the largest unit that says enough.
std::string span_in_words(std::chrono::seconds span);

}  // namespace postern::base
