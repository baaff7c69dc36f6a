// The mail servers of the world outside.
#pragma once

#include <string>

#include "tests/simulation/ledger.h"
#include "tests/simulation/outside.h"

namespace postern::simulation {

/// Whose it is: a site that mail is for, the primary, or the archive that gets a copy of all mail.
enum class Role : std::uint8_t { site, primary, archive };

/// A conversation as receivers have it: of a site's mail exchanger, or of the primary, which gets the
/// reports.
Host receiver(io_context& io, const base::Clock& clock, Outside& outside, Ledger& ledger, std::uint64_t seed,
              std::string address, Role role);

}  // namespace postern::simulation
