#include "relay/queue/schedule.h"

#include <algorithm>

namespace postern::relay {

namespace {

constexpr std::chrono::milliseconds site_pause_first = std::chrono::seconds(5);
constexpr std::chrono::milliseconds site_pause_max = std::chrono::minutes(10);

std::chrono::milliseconds grow(std::chrono::milliseconds first, std::chrono::milliseconds limit,
                               unsigned times, double spread) {
    std::chrono::milliseconds pause = first;
    for (unsigned done = 1; done < times && pause < limit; ++done) pause *= 2;
    pause = std::min(pause, std::max(first, limit));
    return pause + std::chrono::milliseconds(
                       static_cast<std::int64_t>(static_cast<double>(pause.count()) * 0.1 * spread));
}

}  // namespace

std::chrono::milliseconds pause_after(const QueueSettings& settings, unsigned attempts, double spread) {
    return grow(settings.retry_first, settings.retry_max, attempts, spread);
}

std::chrono::milliseconds site_pause(const QueueSettings& settings, unsigned failures, double spread) {
    return grow(std::min<std::chrono::milliseconds>(settings.retry_first, site_pause_first),
                std::min<std::chrono::milliseconds>(settings.retry_max, site_pause_max), failures, spread);
}

Time now_exact(const base::Clock& clock) {
    return std::chrono::time_point_cast<std::chrono::microseconds>(clock.steady());
}

bool of_another_clock(const QueueSettings& settings, Time due, Time now) {
    return due > now + std::max<std::chrono::seconds>(settings.retry_max, restrained_most) * 6 / 5 +
                     std::chrono::minutes(1);
}

Time expiry(const QueueSettings& settings, const Message& message) {
    constexpr std::chrono::years never{100};
    return message.arrived + (message.envelope.journal == JournalReport::none
                                  ? settings.expire
                                  : std::chrono::duration_cast<std::chrono::seconds>(never));
}

Time held_until() { return Time(std::chrono::hours(24 * 365 * 250)); }

}  // namespace postern::relay
