#include "sync/polling/schedule.h"

#include <algorithm>

namespace postern::sync {

std::chrono::milliseconds pause(unsigned failures, std::chrono::seconds poll_every,
                                std::optional<std::chrono::seconds> retry_after, double jitter) {
    constexpr std::chrono::seconds first(15);
    std::chrono::seconds base = std::max(poll_every, std::chrono::seconds(1));
    if (failures > 0) base = std::min(base, first * (1 << std::min(failures - 1, 20u)));
    const auto spread = std::chrono::duration_cast<std::chrono::milliseconds>(
        std::chrono::duration<double>(base) * (0.9 + 0.2 * jitter));
    const auto asked = std::min(retry_after.value_or(std::chrono::seconds(0)), longest_retry_after);
    return std::max<std::chrono::milliseconds>(spread, asked);
}

}  // namespace postern::sync
