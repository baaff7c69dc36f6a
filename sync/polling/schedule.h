// When a primary is asked next: pure arithmetic.
#pragma once

#include <chrono>
#include <optional>

namespace postern::sync {

/// Upper bound for what a primary may ask for with Retry-After.
constexpr std::chrono::seconds longest_retry_after = std::chrono::hours(1);
/// Between two attempts with credentials that were rejected, unless something changes.
constexpr std::chrono::seconds rejected_pause = std::chrono::hours(1);

/// Until the next round. `failures`: rounds that failed in a row, 0 after a good one. `jitter`: in [0, 1),
/// spreads a pause over 90 to 110 %. After failures the pause grows from 15 s to poll_every; never shorter
/// than `retry_after`.
std::chrono::milliseconds pause(unsigned failures, std::chrono::seconds poll_every,
                                std::optional<std::chrono::seconds> retry_after, double jitter);

}  // namespace postern::sync
