#include "agent/status/readiness.h"

#include <algorithm>
#include <map>
#include <set>
#include <string_view>

#include "agent/log/egress_state.h"
#include "relay/mail/route_key.h"
#include "sync/base/time_text.h"

namespace postern::agent {
namespace {

/// Addresses in domains that are listed and not read yet are asked about one by one.
bool lists_domains(const sync::Report& report, const std::string& primary) {
    return std::any_of(report.domains.begin(), report.domains.end(),
                       [&](const auto& domain) { return domain.primary == primary; });
}

/// Of a primary that this gateway leaves to another.
std::string who_polls(const sync::PrimaryReport& primary) {
    return primary.polled_by.empty() ? "" : "; it is polled by gateway " + primary.polled_by;
}

std::string refusal(const sync::PrimaryReport& primary) {
    return "credentials refused since " + base::iso_time(primary.refused_since) +
           (primary.error.empty() ? "" : ": " + primary.error) +
           "; correct username or password_file, then run \"postern sync\"";
}

/// Since when and why absence from the directory proves nothing any more; "" when all of it is young enough.
std::string staleness(const sync::Report& report, const sync::PrimaryReport& primary, sync::Time now) {
    const auto why = [&](const std::string& error) {
        return (error.empty() ? "" : ": " + error) + who_polls(primary);
    };
    const auto stale = [now](sync::Time until) { return until != sync::Time{} && until < now; };
    if (stale(primary.trusted_until))
        return "its list of domains is older than trust_for since " + base::iso_time(primary.trusted_until) +
               why(primary.error);
    std::size_t count = 0;
    const sync::DomainView* oldest = nullptr;
    for (const auto& domain : report.domains) {
        if (domain.primary != primary.name || !domain.enabled || !stale(domain.trusted_until)) continue;
        ++count;
        if (oldest == nullptr || domain.trusted_until < oldest->trusted_until) oldest = &domain;
    }
    if (oldest == nullptr) return {};
    return "what is known of " + oldest->name +
           (count > 1 ? " and " + std::to_string(count - 1) + " more domains" : std::string()) +
           " is older than trust_for since " + base::iso_time(oldest->trusted_until) +
           why(oldest->error.empty() ? primary.error : oldest->error);
}

constexpr std::size_t most_sites = 10;  // named one by one

/// Of an address that is not usable at all.
std::string why_not(const relay::EgressView& egress) {
    const std::string name(egress.address.empty() ? system_choice : egress.address);
    if (egress.suspended) return name + " is suspended";
    const auto& listings = egress.listings;
    const auto listing = std::find_if(listings.begin(), listings.end(),
                                      [](const auto& one) { return one.site.empty() && !one.probing; });
    return name + " is listed by " + listing->by + " until " + base::iso_time(listing->until);
}

}  // namespace

std::vector<std::string> reasons_not_ready(const relay::State& state, const sync::Report& report,
                                           bool directory_needed, sync::Time now) {
    std::vector<std::string> reasons;
    if (!state.not_ready.empty()) reasons.push_back(state.not_ready);
    if (!directory_needed) return reasons;
    for (const auto& primary : report.primaries) {
        const std::string who = "primary " + primary.name + ": ";
        if (primary.refused_since != sync::Time{} && primary.polled_by.empty())
            reasons.push_back(who + refusal(primary));
        if (primary.last_success == sync::Time{} && !lists_domains(report, primary.name))
            reasons.push_back(who + "its directory has not been read yet" +
                              (primary.error.empty() ? "" : ": " + primary.error) + who_polls(primary));
        if (auto stale = staleness(report, primary, now); !stale.empty())
            reasons.push_back(who + std::move(stale));
    }
    return reasons;
}

std::vector<std::string> reasons_degraded(const std::vector<relay::EgressView>& egress) {
    const bool pool =
        std::any_of(egress.begin(), egress.end(), [](const auto& each) { return !each.address.empty(); });
    std::size_t usable = 0;
    std::string unusable;
    std::map<std::string_view, std::set<std::string_view>> refused;  // addresses by site
    for (const auto& each : egress) {
        // Beside a pool the system's choice is only for sites that the pool cannot reach.
        if (pool && each.address.empty()) continue;
        if (!is_usable(each)) {
            unusable.append(unusable.empty() ? "" : ", ").append(why_not(each));
            continue;
        }
        ++usable;
        for (const auto& listing : each.listings)
            if (!listing.probing) refused[listing.site].insert(each.address);
    }
    if (usable == 0 && !unusable.empty())
        return {"no address is left that mail could leave from, so mail for mail exchangers waits: " +
                unusable};
    std::vector<std::string> reasons;
    std::size_t unnamed = 0;
    for (const auto& [site, addresses] : refused) {
        if (addresses.size() < usable) continue;
        if (reasons.size() < most_sites)
            reasons.push_back("every address is listed by " +
                              (site.starts_with('@') ? "the receiver of " + std::string(site.substr(1))
                                                     : std::string(site)) +
                              ", so mail for it waits");
        else
            ++unnamed;
    }
    if (unnamed > 0) reasons.push_back("the same of " + std::to_string(unnamed) + " more sites");
    return reasons;
}

std::vector<std::string> directory_troubles(const sync::Report& report) {
    std::vector<std::string> reasons;
    for (const auto& primary : report.primaries) {
        if (primary.refused_since != sync::Time{} && !primary.polled_by.empty())
            reasons.push_back("primary " + primary.name + " would not let this gateway poll it" +
                              who_polls(primary) + ": " + refusal(primary));
        if (!primary.reachable && !primary.error.empty() &&
            (primary.last_success != sync::Time{} || lists_domains(report, primary.name)))
            reasons.push_back("primary " + primary.name + " cannot be asked since " +
                              (primary.last_success == sync::Time{}
                                   ? std::string("this start")
                                   : "its last reading at " + base::iso_time(primary.last_success)) +
                              ": " + primary.error + "; mail is taken by what is known of it");
    }
    return reasons;
}

std::vector<std::string> copy_troubles(const relay::State& state, const relay::ScreeningView& screening) {
    std::vector<std::string> reasons;
    const auto& archive = state.archive;
    if (archive.since != sync::Time{})
        reasons.push_back("copies for the archive wait since " + base::iso_time(archive.since) +
                          ", and are kept until it takes them: " + archive.reason);
    if (screening.missing > 0)
        reasons.push_back(
            std::to_string(screening.missing) + (screening.missing == 1 ? " message has" : " messages have") +
            " not come back from the screening gateway " + screening.gateway + ": see \"postern screening\"");
    return reasons;
}

std::vector<std::string> cluster_troubles(const sync::ClusterView& view) {
    using Standing = sync::ClusterView::Standing;
    std::vector<std::string> reasons;
    if (!view.on) return reasons;
    if (view.standing == Standing::away)
        reasons.push_back("other gateways cannot be asked since " + base::iso_time(view.since) + ": " +
                          view.why + "; each goes by what it knows and a share of each limit (one of " +
                          std::to_string(view.gateways) + ")");
    else if (view.standing == Standing::slow)
        reasons.push_back(view.why + " since " + base::iso_time(view.since) + ": mail does not wait for it");
    if (!view.twin.empty()) reasons.push_back(view.twin);
    return reasons;
}

std::vector<std::string> next_hop_troubles(const relay::State& state) {
    std::vector<std::string> reasons;
    for (const auto& one : state.destinations) {
        const auto key = relay::RouteKey::of(one.route);
        const bool primary = key.kind == relay::RouteKey::Kind::primary;
        const bool gateway = key.kind == relay::RouteKey::Kind::gateway;
        if (one.trouble.empty() || !(primary || gateway) || one.waiting + one.ready == 0) continue;
        reasons.push_back((primary ? "mail back to primary " : "mail through gateway ") + key.name +
                          " waits, next try " + base::iso_time(one.next_try) + ": " + one.trouble);
    }
    return reasons;
}

}  // namespace postern::agent
