// The state of the synchronisation, for status pages and commands.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "sync/directory/claim.h"
#include "sync/directory/view.h"

namespace postern::sync {

struct PrimaryReport {
    std::string name, url;
    bool lists = true;  // false: it is asked about each address by itself, and its domains are those named
    bool reachable = false;  // the last request got an answer that could be read
    bool polling = false;    // a round is under way
    Time last_round{};       // end of the last one, whatever came of it; epoch: none yet
    Time last_success{};     // the last one in which the domains were read
    std::string error;       // of the last round, in words; "" when it went well
    Time refused_since{};    // credentials rejected since then; epoch: they are not
    Time next_round{};
    Time trusted_until{};                  // the list of its domains; epoch: never read
    std::optional<Suspicion> suspicion{};  // of a list of its domains that is held back
    std::uint64_t requests = 0;            // sent since the start
    std::string unusable{};                // domains it lists that cannot be any, in words; "" when none
    /// The gateway whose turn it is, which hands on what it reads; "" when this one polls. While it is
    /// another's nothing is asked, so that the primary counts as reachable, and `last_success` is of what was
    /// taken over.
    std::string polled_by{};
};

struct Report {
    std::vector<PrimaryReport> primaries;
    std::vector<DomainView> domains;
    std::vector<Claim> claims{};
};

}  // namespace postern::sync
