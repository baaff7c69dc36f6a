// The mail servers of the world outside.
#pragma once

#include <string>

#include "tests/simulation/ledger.h"
#include "tests/simulation/outside.h"

namespace postern::simulation {

/// A conversation as receivers have it: of a site's mail exchanger, or of the primary, which gets the
/// reports.
Host receiver(io_context& io, const base::Clock& clock, Outside& outside, Ledger& ledger, std::uint64_t seed,
              std::string address, bool primary);

}  // namespace postern::simulation
