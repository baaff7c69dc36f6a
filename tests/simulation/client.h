// The primary, as it sends its mail out through the gateway.
#pragma once

#include <cstdint>
#include <string>

#include "tests/simulation/ledger.h"
#include "tests/simulation/outside.h"

namespace postern::simulation {

/// Who sends what to whom, by chance.
struct Traffic {
    std::uint64_t seed;
    std::uint64_t number;  // of the connection; messages have numbers from number * 100 on
    unsigned messages;
    unsigned sites;          // recipients are at siteN.example
    std::size_t size_max;    // octets
    Mood mood = Mood::well;  // of the connection: well, slow or tearing
};

/// One connection. What it was told is in the ledger.
awaitable<void> send(io_context& io, const base::Clock& clock, Outside& outside, Ledger& ledger,
                     Traffic traffic);

}  // namespace postern::simulation
