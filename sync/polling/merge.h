// How a primary's answers change what is known of it. Without input or output.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "sync/directory/directory.h"
#include "sync/directory/suspicion.h"
#include "sync/primary/primary.h"

namespace postern::sync {

/// A loss that is worth telling: seen for the first time and held back, or believed at last.
struct Loss {
    std::string_view what;  // "users", "domains", ...
    Suspicion suspicion;
    bool taken = false;
};

/// How much of a primary is read in a round.
struct RoundScope {
    bool all = true;  // otherwise only a share of the domains whose counts have not changed, the oldest
    std::size_t most_unchanged = static_cast<std::size_t>(-1);
    Hold hold{};
};

/// Of a primary that cannot list its domains: they are those the settings name. What another kind of primary
/// told of them is dropped.
void name_domains(PrimaryRecord& record, Time now);

/// Takes over what was listed. A domain that is not listed any more goes, unless too many go at once.
/// Gives the domains to read, what is not known yet first, then the oldest; one that made trouble comes last,
/// so that it does not keep the others waiting; those listed as disabled are not worth the requests.
std::vector<std::string> merge(PrimaryRecord& record, std::vector<ListedDomain> listed, Time now,
                               std::vector<Loss>& losses, const RoundScope& scope = {});

struct Applied {
    bool any = false;    // something could be read
    std::string errors;  // what could not, in words
    std::vector<Loss> losses;
};
/// Takes over the parts that could be read and are believed. `began`: when the reading of them did. That the
/// domain is disabled is only noted, unless nothing was known of it: settle() sees how many are.
Applied apply(DomainRecord& record, DomainReading& reading, Time began, const Hold& hold = {});

/// At the end of a round: the domains whose settings say that they are disabled are, unless too many are at
/// once; the same rule as for a list of domains that says so.
void settle(PrimaryRecord& record, Time now, std::vector<Loss>& losses, const Hold& hold = {});

/// Makes all that is held back believed when it comes again; false when there is nothing.
bool confirm(PrimaryRecord& record);

}  // namespace postern::sync
