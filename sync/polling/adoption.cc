#include "sync/polling/adoption.h"

#include <algorithm>

#include "sync/base/time_text.h"
#include "sync/limits.h"

namespace postern::sync {

namespace {

/// The latest of all its times.
Time latest(const PrimaryRecord& record) {
    Time last = record.listed;
    for (const auto& [name, domain] : record.domains)
        last =
            std::max({last, domain.listed, domain.options.read, domain.users.read, domain.aliases.read,
                      domain.lists.read, domain.resources.read, domain.domain_aliases.read, domain.error_at});
    return last;
}

bool canonical(std::string_view name) { return canonical_domain(name) == name; }

/// As a primary's own list would give it.
bool named_well(const std::string& name, const DomainRecord& domain) {
    return canonical(name) && canonical_domain(domain.spelling) == name &&
           std::all_of(domain.domain_aliases.content.begin(), domain.domain_aliases.content.end(), canonical);
}

}  // namespace

std::string objection_to(const PrimaryRecord& theirs, bool lists, Time now) {
    if (theirs.lists != lists)
        return std::string("the primary is of another kind there: it ") +
               (theirs.lists ? "lists its addresses" : "is asked about each address by itself");
    if (theirs.listed == Time{}) return "it was never read";
    if (const Time last = latest(theirs); last > now + most_ahead)
        return "it was read in the future, at " + base::iso_time(last) + ": the clocks differ";
    if (theirs.domains.size() > limits::domains) return "it has more domains than are kept of a primary";
    std::size_t sum = 0;
    for (const auto& [name, domain] : theirs.domains) {
        if (!named_well(name, domain)) return "it has a domain whose name can be none";
        sum += octets(domain);
    }
    if (sum > limits::octets) return "it has more names than are kept of a primary";
    return {};
}

}  // namespace postern::sync
