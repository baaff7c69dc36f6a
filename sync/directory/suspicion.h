// Whether a much smaller answer is believed: a primary that lies, or has just lost its data, must not make a
// gateway refuse mail. Pure decisions.
#pragma once

#include <chrono>
#include <cstddef>
#include <optional>

#include "sync/base/clock.h"

namespace postern::sync {

/// An answer that was held back. While it stands, the answer before it is in force.
struct Suspicion {
    std::chrono::system_clock::time_point since{};  // when an answer like it came first
    std::size_t before = 0, now = 0;                // entries in force, entries it has
    unsigned seen = 1;                              // how often it came, in rounds
    bool confirmed = false;                         // by the operator: believed when it comes again
    base::Time held_from{};                         // `since` in the steady time
};

/// How an answer differs from the one in force.
struct Difference {
    std::size_t before = 0, after = 0;  // entries
    std::size_t gone = 0;               // entries in force that it lacks, or calls disabled
};

/// Everything gone, whatever came instead, or more than ten entries and a fifth of all.
bool sudden_loss(const Difference& difference);

/// How long a loss is held back at least: a primary that is being restored is half empty for a while.
struct Hold {
    base::Time now{};  // steady
    std::chrono::seconds lasts{0};
};

/// True when the answer is to be taken; otherwise `suspicion` says why not. A loss is believed when it has
/// been seen again in two later rounds and was held back long enough, or was confirmed; one that has grown
/// suddenly since then is a new one.
bool believe(std::optional<Suspicion>& suspicion, const Difference& difference,
             std::chrono::system_clock::time_point now, const Hold& hold = {});

}  // namespace postern::sync
