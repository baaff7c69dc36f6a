// Limits that several rooms of agent go by, and how they depend on each other. One that only a single file
// needs stands in that file.
#pragma once

#include <chrono>
#include <cstddef>

#include "relay/limits.h"

namespace postern::agent::limits {

/// Octets of a file that people write, the configuration and the reply rules, and of what is kept of what
/// they set while running.
inline constexpr std::size_t file = 1 << 20;

/// Octets of a parameter of the status endpoint.
inline constexpr std::size_t parameter = 1000;
static_assert(relay::limits::local_part + 1 + relay::limits::domain <= parameter,
              "each sender's route can be set, and its mail be chosen");

/// The greatest age that can be asked for. A clock counts some 292 years either way: what lies further back
/// comes out in the future, and "older than that" is everything.
inline constexpr std::chrono::hours age{36'500 * 24};

// Messages of a page of the queue, and in front of it; domains of the directory that are shown.
inline constexpr std::size_t page = 10'000, skipped = 10'000'000, domains = 10'000;
static_assert(page <= skipped, "the next page can be asked for");

/// How long name servers are waited for, for an explanation.
inline constexpr std::chrono::seconds explanation{30};

// How long a command waits for its answer, and the octets it reads of it.
inline constexpr std::chrono::seconds command{120};
inline constexpr std::size_t answer = 64 << 20;
static_assert(explanation * 2 <= command, "it hears of it when the name servers do not answer");

}  // namespace postern::agent::limits
