#include "agent/readiness.h"

#include "agent/log_line.h"

namespace postern::agent {
namespace {

struct Domains {
    std::size_t known = 0, read = 0;
};

/// Of one primary; a disabled domain has nothing to be read.
Domains count_domains(const sync::Report& report, const std::string& primary) {
    Domains count;
    for (const auto& domain : report.domains) {
        if (domain.primary != primary) continue;
        ++count.known;
        if (!domain.enabled || domain.read != sync::Time{}) ++count.read;
    }
    return count;
}

}  // namespace

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
        const auto [domains, read] = count_domains(report, primary.name);
        if (primary.last_success == sync::Time{} && domains == 0)
            reasons.push_back(who + "its directory has not been read yet" +
                              (primary.error.empty() ? "" : ": " + primary.error));
        else if (primary.last_round == sync::Time{} &&
                 read < domains)  // no cache, and the first round goes on
            reasons.push_back(who + "its directory is being read for the first time, " +
                              std::to_string(read) + " of " + std::to_string(domains) + " domains so far");
    }
    return reasons;
}

}  // namespace postern::agent
