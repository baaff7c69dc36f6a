// What is known of the primaries, and how to have it read or asked for anew.
#include <algorithm>
#include <nlohmann/json.hpp>

#include "agent/limits.h"
#include "agent/status/pages.h"
#include "agent/status/present.h"
#include "agent/status/views.h"
#include "sync/base/domain_name.h"

namespace postern::agent {
namespace {

using nlohmann::json;
using Place = Parameter::Place;

Answer directory(const Control& control, const Request&) {
    const auto report = control.directory.report();
    json primaries = json::array(), domains = json::array(), claims = json::array();
    for (const auto& primary : report.primaries) primaries.push_back(view(primary));
    for (const auto& domain : report.domains) {
        if (domains.size() == limits::domains) break;
        domains.push_back(view(domain));
    }
    const bool more = report.domains.size() > domains.size();
    for (const auto& claim : report.claims) {
        if (claims.size() == limits::domains) break;
        claims.push_back(
            {{"domain", claim.domain}, {"primary", claim.primary}, {"besides", claim.overruled}});
    }
    return ok({{"primaries", std::move(primaries)},
               {"domains", std::move(domains)},
               {"claims", std::move(claims)},
               {"more", more}});
}

Answer show(const Control& control, const Request& request) {
    const std::string& name = request.subject;
    const auto at = name.rfind('@');
    const auto domain = base::DomainName::parse(at == std::string::npos ? name : name.substr(at + 1));
    if (!domain || at == 0) return refusal(400, "this is neither a domain nor an address");
    const auto snapshot = control.directory.snapshot();
    const auto now = control.clock.wall();
    if (at != std::string::npos) {
        const auto found = sync::view(*snapshot, std::string_view(name).substr(0, at), domain->text(), now);
        json body = view(found.verdict);
        body["address"] = name;
        body["what"] = found.what;
        return ok(body);
    }
    json body = view(snapshot->domain(domain->text(), now));
    body["domain"] = domain->text();
    body["on"] = json::array();
    for (const auto& each : control.directory.report().domains) {
        const auto& aliases = each.domain_aliases;
        if (each.name == domain->text() ||
            std::find(aliases.begin(), aliases.end(), domain->text()) != aliases.end())
            body["on"].push_back(view(each));
    }
    return ok(body);
}

Answer forget(const Control& control, const Request& request) {
    const auto address = parameter(request, "address");
    const auto at = address.rfind('@');
    if (at == std::string::npos || at == 0) return refusal(400, "address: not an address");
    const auto domain = base::DomainName::parse(std::string_view(address).substr(at + 1));
    if (!domain) return refusal(400, "address: not an address");
    const bool forgotten = control.directory.forget(address.substr(0, at), domain->text());
    if (forgotten) note(control, request, "directory entry of " + address + " forgotten");
    return ok({{"forgotten", forgotten}});
}

Answer poll(const Control& control, const Request& request) {
    const bool accept = request.parameters.contains("accept");
    accept ? control.directory.accept() : control.directory.poll();
    note(control, request, accept ? "what was held back believed" : "directories to be read now");
    return ok({{"started", true}});
}

}  // namespace

std::vector<Endpoint> directory_endpoints() {
    return {
        {.method = "GET",
         .path = "/v1/directory",
         .words = "directory",
         .help = "what is known of the primaries",
         .handle = directory,
         .present = shown_by(present_directory)},
        {.method = "GET",
         .path = "/v1/directory/DOMAIN|ADDRESS",
         .words = "directory show",
         .help = "what is known of a domain or an address",
         .parameters = {{.name = "DOMAIN|ADDRESS",
                         .value = "DOMAIN|ADDRESS",
                         .help = "what to look up",
                         .place = Place::path}},
         .handle = show,
         .present = shown_by(present_directory_entry)},
        {.method = "POST",
         .path = "/v1/directory/forget",
         .words = "directory forget",
         .help = "ask the primary anew about an address",
         .access = Access::operators,
         .parameters = {{.name = "address",
                         .value = "ADDRESS",
                         .help = "that was asked for by itself",
                         .place = Place::word,
                         .required = true}},
         .handle = forget,
         .present = says_whether("forgotten", "forgotten; it is asked for again when it is needed\n",
                                 "nothing to forget: it was not asked for by itself\n")},
        {.method = "POST",
         .path = "/v1/sync",
         .words = "sync",
         .help = "read the primaries' directories now",
         .access = Access::operators,
         .parameters = {{.name = "accept",
                         .value = "true",
                         .help = "believe what was held back because too much is gone",
                         .kind = Parameter::Kind::flag}},
         .handle = poll,
         .present = says("reading the primaries' directories now; \"postern status\" shows how it went\n")},
    };
}

}  // namespace postern::agent
