#include "agent/status/api.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>
#include <vector>

#include "agent/machine/address_text.h"
#include "agent/status/paths.h"
#include "agent/status/views.h"
#include "sync/base/domain_name.h"
#include "sync/base/ip_address.h"

namespace postern::agent {
namespace {

using nlohmann::json;

constexpr std::size_t most_listed = 10'000;

Answer text(int status, std::string body) {
    return {status, std::move(body), "text/plain; charset=utf-8", ""};
}

/// What is wrong with the query, "" for nothing. A misspelt filter must never act on the whole queue.
std::string query_fault(const Request& request, const std::set<std::string>& allowed) {
    for (const auto& [name, value] : request.parameters) {
        if (!allowed.contains(name)) {
            std::string names;
            for (const auto& each : allowed) names.append(names.empty() ? "" : ", ").append(each);
            return "unknown parameter; allowed here: " + (names.empty() ? "none" : names);
        }
        if (request.parameters.count(name) > 1) return "parameter " + name + " is given twice";
        if (value.empty()) return "parameter " + name + " is empty";
        if (value.size() > 1000) return "parameter " + name + " is too long";
    }
    return {};
}

Answer overview(const Control& control, const Request&) {
    return text(
        200,
        "postern " + control.process.identity().version + " on " + control.process.identity().hostname +
            "\n\n"
            "GET    /healthz                     alive\n"
            "GET    /readyz                      able to take mail; 503 with reasons when not\n"
            "GET    /metrics                     Prometheus text format\n"
            "GET    /v1/status                   the state at a glance\n"
            "GET    /v1/queue                    ?CHOICE limit= offset= "
            "sort=oldest|newest|next|size|attempts\n"
            "GET    /v1/queue/summary            ?CHOICE limit=: by destination and age, sender, reason\n"
            "GET    /v1/messages/ID              one message and why it waits\n"
            "GET    /v1/gateways                 next hops, and what is wrong with them\n"
            "GET    /v1/routes                   which mail goes through which gateway\n"
            "GET    /v1/egress                   addresses mail leaves from, and where they are listed\n"
            "GET    /v1/directory                primaries and domains\n"
            "GET    /v1/directory/DOMAIN|ADDRESS what is known of it\n"
            "GET    /v1/explain                  ?from= to= client=\n"
            "POST   /v1/queue/retry              ?CHOICE, or all\n"
            "POST   /v1/queue/hold               ?CHOICE: until released\n"
            "POST   /v1/queue/release            ?CHOICE\n"
            "POST   /v1/queue/bounce             ?CHOICE reason=: back to the sender\n"
            "POST   /v1/queue/move               ?CHOICE gateway= or rules=true\n"
            "DELETE /v1/queue                    ?CHOICE: without telling the sender\n"
            "POST   /v1/gateways/NAME/ACTION     enable, disable\n"
            "POST   /v1/routes                   ?sender= recipient= gateway=\n"
            "DELETE /v1/routes                   ?sender= recipient=\n"
            "POST   /v1/egress/ADDRESS/ACTION    suspend, resume, forget ?site=\n"
            "POST   /v1/sync                     read the primaries' directories now; ?accept=true\n"
            "POST   /v1/directory/forget         ?address=\n"
            "POST   /v1/reload                   take the changed configuration file\n"
            "\nCHOICE is id= sender= recipient= held=true older=4h route= (gateway=NAME for "
            "route=gateway:NAME);\nwhat changes messages needs some of it, or all=true.\n"
            "\nPOST, DELETE and /v1/explain need the token: \"Authorization: Bearer ...\".\n");
}

Answer healthz(const Control&, const Request&) { return text(200, "alive\n"); }

Answer readyz(const Control& control, const Request&) {
    const auto reasons = control.process.not_ready();
    std::string body = reasons.empty() ? "ready\n" : "";
    for (const auto& reason : reasons) body.append(reason).append("\n");
    for (const auto& trouble : control.process.degraded())
        body.append("degraded: ").append(trouble).append("\n");
    return text(reasons.empty() ? 200 : 503, std::move(body));
}

Answer metrics(const Control& control, const Request&) {
    return {200, control.process.metrics(), "text/plain; version=0.0.4; charset=utf-8", ""};
}

Answer status(const Control& control, const Request&) { return ok(status_view(control)); }

Answer directory(const Control& control, const Request&) {
    const auto report = control.directory.report();
    json primaries = json::array(), domains = json::array(), claims = json::array();
    for (const auto& primary : report.primaries) primaries.push_back(view(primary));
    for (const auto& domain : report.domains) {
        if (domains.size() == most_listed) break;
        domains.push_back(view(domain));
    }
    const bool more = report.domains.size() > domains.size();
    for (const auto& claim : report.claims) {
        if (claims.size() == most_listed) break;
        claims.push_back({{"domain", claim.domain}, {"primary", claim.primary}, {"besides", claim.besides}});
    }
    return ok({{"primaries", std::move(primaries)},
               {"domains", std::move(domains)},
               {"claims", std::move(claims)},
               {"more", more}});
}

Answer directory_entry(const Control& control, const Request& request) {
    const std::string name = request.path.substr(sizeof("/v1/directory/") - 1);
    const auto at = name.rfind('@');
    const auto domain = base::DomainName::parse(at == std::string::npos ? name : name.substr(at + 1));
    if (!domain || at == 0) return refusal(400, "this is neither a domain nor an address");
    const auto snapshot = control.directory.snapshot();
    const auto now = std::chrono::system_clock::now();
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

Answer explain(const Control& control, const Request& request) {
    if (!request.parameters.contains("to")) return refusal(400, "to is missing: the recipient's address");
    if (const auto client = parameter(request, "client"); !client.empty() && !base::is_ip_literal(client))
        return refusal(400, "client is not an IP address");
    return ok(view(control.directory.explain(parameter(request, "from"), parameter(request, "to"),
                                             parameter(request, "client"))));
}

Answer poll(const Control& control, const Request& request) {
    const auto accept = parameter(request, "accept");
    if (!accept.empty() && accept != "true") return refusal(400, "accept can only be true");
    accept.empty() ? control.directory.poll() : control.directory.accept();
    note(control, request, accept.empty() ? "directories to be read now" : "what was held back believed");
    return ok({{"started", true}});
}

Answer forget(const Control& control, const Request& request) {
    const auto address = parameter(request, "address");
    const auto at = address.rfind('@');
    if (at == std::string::npos || at == 0) return refusal(400, "address is missing or none");
    const auto domain = base::DomainName::parse(std::string_view(address).substr(at + 1));
    if (!domain) return refusal(400, "address is missing or none");
    const bool forgotten = control.directory.forget(address.substr(0, at), domain->text());
    if (forgotten) note(control, request, "directory entry of " + address + " forgotten");
    return ok({{"forgotten", forgotten}});
}

Answer reload(const Control& control, const Request& request) {
    const auto [faults, after_restart_only] = control.process.reload();
    if (!faults.empty())
        return {409, dump({{"error", "the file has faults; the settings in force stay"}, {"faults", faults}}),
                "application/json", ""};
    note(control, request, "configuration file read again");
    return ok({{"reloaded", true}, {"after_restart_only", after_restart_only}});
}

struct Route {
    std::string_view method, path;  // a path that ends in '/' takes anything behind it, except "/" itself
    Answer (*handle)(const Control&, const Request&);
    std::set<std::string> parameters;
    bool guarded = false;  // a reading that costs others something, and therefore needs what changes need

    bool matches(std::string_view asked) const {
        if (path.size() > 1 && path.ends_with('/'))
            return asked.size() > path.size() && asked.starts_with(path);
        return asked == path;
    }
};

const std::vector<Route>& routes() {
    const std::set<std::string> choice{"id", "sender", "recipient", "route", "gateway", "held", "older"};
    const auto with = [&choice](std::set<std::string> more) {
        more.insert(choice.begin(), choice.end());
        return more;
    };
    static const std::vector<Route> table{
        {"GET", "/", overview, {}},
        {"GET", "/healthz", healthz, {}},
        {"GET", "/readyz", readyz, {}},
        {"GET", "/metrics", metrics, {}},
        {"GET", "/v1/status", status, {}},
        {"GET", "/v1/queue", answer_queue, with({"limit", "offset", "sort"})},
        {"GET", "/v1/queue/summary", answer_summary, with({"limit"})},
        {"DELETE", "/v1/queue", remove_messages, with({"all"})},
        {"POST", "/v1/queue/retry", retry_messages, choice},
        {"POST", "/v1/queue/hold", hold_messages, with({"all"})},
        {"POST", "/v1/queue/release", release_messages, with({"all"})},
        {"POST", "/v1/queue/bounce", bounce_messages, with({"all", "reason"})},
        {"POST", "/v1/queue/move", move_messages, with({"all", "rules"})},
        {"GET", "/v1/messages/", answer_message, {}},
        {"GET", "/v1/gateways", answer_gateways, {}},
        {"POST", "/v1/gateways/", switch_gateway, {}},
        {"GET", "/v1/routes", answer_routes, {}},
        {"POST", "/v1/routes", add_route, {"sender", "recipient", "gateway"}},
        {"DELETE", "/v1/routes", remove_route, {"sender", "recipient"}},
        {"GET", "/v1/egress", answer_egress, {}},
        {"POST", "/v1/egress/", change_egress, {"site"}},
        {"GET", "/v1/directory", directory, {}},
        {"GET", "/v1/directory/", directory_entry, {}},
        {"GET", "/v1/explain", explain, {"from", "to", "client"}, true},
        {"POST", "/v1/sync", poll, {"accept"}},
        {"POST", "/v1/directory/forget", forget, {"address"}},
        {"POST", "/v1/reload", reload, {}},
    };
    return table;
}

}  // namespace

Answer ok(const json& body) { return {200, dump(body), "application/json", ""}; }

std::string parameter(const Request& request, const std::string& name) {
    const auto found = request.parameters.find(name);
    return found == request.parameters.end() ? std::string() : found->second;
}

void note(const Control& control, const Request& request, const std::string& what,
          std::optional<std::size_t> messages) {
    control.process.changed(request.who, what, messages);
}

Answer respond(const Control& control, const Request& request) {
    const std::string_view method = request.method == "HEAD" ? "GET" : std::string_view(request.method);
    std::string allow;
    for (const auto& route : routes()) {
        if (!route.matches(request.path)) continue;
        if (route.method != method) {
            allow.append(allow.empty() ? "" : ", ").append(route.method);
            continue;
        }
        if ((method != "GET" || route.guarded) && !request.authorised)
            return refusal(401, "this is for root, the gateway's account, and who shows the token");
        if (const auto fault = query_fault(request, route.parameters); !fault.empty())
            return refusal(400, fault);
        return route.handle(control, request);
    }
    if (allow.empty()) return refusal(404, "there is no such path; GET / lists them");
    auto answer = refusal(405, "this path takes " + allow);
    answer.allow = allow;
    return answer;
}

}  // namespace postern::agent
