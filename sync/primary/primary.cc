#include "sync/primary/primary.h"

#include <algorithm>
#include <tuple>
#include <utility>

#include "sync/primary/stream.h"

namespace postern::sync {

ListedDomain listed_domain(std::string_view spelling, std::optional<bool> enabled,
                           std::optional<DomainCounts> counts) {
    constexpr std::size_t longest = 1000;  // no name that can be one is longer
    return {canonical_domain(spelling).value_or(""), std::string(spelling.substr(0, longest)), enabled,
            counts};
}

Failure failure_of(StreamFailure failure) {
    const auto fault = [&] {
        switch (failure.fault) {
            case StreamFault::cancelled: return Fault::interrupted;
            case StreamFault::too_large: return Fault::unreadable;
            case StreamFault::transport: break;
        }
        return Fault::unreachable;
    };
    return {fault(), std::move(failure.words), {}, failure.trouble};
}

Failure with_doubt(Failure failure, const base::Secret& password) {
    const std::string doubt = password.doubt();
    if (failure.trouble != Trouble::credentials || doubt.empty()) return failure;
    failure.words += "; the password file " + doubt + ", which was sent as part of the password";
    failure.trouble = Trouble::password_format;
    return failure;
}

void sort_once(std::vector<ListedDomain>& domains) {
    // Of what is no domain name, each spelling.
    const auto key = [](const ListedDomain& domain) {
        return std::tie(domain.name, domain.name.empty() ? domain.spelling : domain.name);
    };
    std::stable_sort(domains.begin(), domains.end(),
                     [&](const ListedDomain& a, const ListedDomain& b) { return key(a) < key(b); });
    domains.erase(std::unique(domains.begin(), domains.end(),
                              [&](const ListedDomain& a, const ListedDomain& b) { return key(a) == key(b); }),
                  domains.end());
}

}  // namespace postern::sync
