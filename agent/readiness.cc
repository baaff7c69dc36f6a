#include "agent/readiness.h"

#include <algorithm>

#include "agent/log_line.h"

namespace postern::agent {

std::vector<std::string> reasons_not_ready(const relay::State& state, const sync::Report& report,
                                           bool directory_needed) {
    std::vector<std::string> reasons;
    if (!state.not_ready.empty()) reasons.push_back(state.not_ready);
    if (!directory_needed) return reasons;
    for (const auto& primary : report.primaries) {
        const std::string who = "primary " + primary.name + ": ";
        if (primary.refused_since != sync::Time{})
            reasons.push_back(who + "credentials refused since " + iso_time(primary.refused_since) +
                              (primary.error.empty() ? "" : ": " + primary.error) +
                              "; correct username or password_file, then run \"postern sync\"");
        const bool known = primary.last_success != sync::Time{} ||
                           std::any_of(report.domains.begin(), report.domains.end(),
                                       [&](const auto& domain) { return domain.primary == primary.name; });
        if (!known)
            reasons.push_back(who + "its directory has not been read yet" +
                              (primary.error.empty() ? "" : ": " + primary.error));
    }
    return reasons;
}

}  // namespace postern::agent
