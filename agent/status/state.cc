// What monitoring and people look at first: health, counters, the state at a glance, and what can be asked.
#include <algorithm>
#include <iterator>
#include <nlohmann/json.hpp>

#include "agent/status/endpoints.h"
#include "agent/status/pages.h"
#include "agent/status/present.h"
#include "agent/status/queue_choice.h"
#include "agent/status/views.h"

namespace postern::agent {
namespace {

Answer text(int status, std::string body) {
    return {status, std::move(body), "text/plain; charset=utf-8", ""};
}

std::string shown(const Parameter& parameter) {
    return std::string(parameter.name) + '=' + std::string(parameter.value);
}

/// "?sender=ADDRESS|DOMAIN held=true", "" without; what chooses messages is said once for all.
std::string query(const std::vector<Parameter>& parameters) {
    const auto& choice = choice_parameters();
    const auto same = [](const Parameter& a, const Parameter& b) { return a.name == b.name; };
    auto at = parameters.begin();
    std::string text;
    if (std::mismatch(choice.begin(), choice.end(), at, parameters.end(), same).first == choice.end()) {
        text = " CHOICE";
        at += std::ssize(choice);
    }
    for (; at != parameters.end(); ++at)
        if (at->in_query()) text.append(" ").append(shown(*at));
    return text.empty() ? "" : '?' + text.substr(1);
}

Answer overview(const Control& control, const Request&) {
    const auto identity = control.process.identity();
    std::string body = "postern " + identity.version + " on " + identity.hostname + "\n\n";
    const auto add = [&body](std::string_view cell, std::size_t width) {
        body.append(cell).append(width - cell.size(), ' ');
    };
    std::size_t width = 0;
    for (const auto& each : endpoints()) width = std::max(width, each.path.size() + 2);
    constexpr std::size_t methods = sizeof("DELETE");
    std::string guarded;
    for (const auto& each : endpoints()) {
        add(each.method, methods);
        add(each.path, width);
        body.append(each.help).append("\n");
        if (const auto more = query(each.parameters); !more.empty()) {
            add("", methods + 2);
            body.append(more).append("\n");
        }
        if (each.access == Access::operators && each.method == "GET")
            guarded.append(" and ").append(each.path);
    }
    body += "\nCHOICE is";
    for (const auto& each : choice_parameters()) body.append(" ").append(shown(each));
    return text(200, body +
                         ";\nwhat changes messages needs some of it, or all=true. gateway=NAME chooses as "
                         "route=gateway:NAME does.\n"
                         "\nPOST, DELETE" +
                         guarded + " need the token: \"Authorization: Bearer ...\".\n");
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

}  // namespace

std::vector<Endpoint> state_endpoints() {
    return {
        {.method = "GET", .path = "/", .help = "what can be asked here", .handle = overview},
        {.method = "GET",
         .path = "/healthz",
         .help = "alive",
         .access = Access::everybody,
         .handle = healthz},
        {.method = "GET",
         .path = "/readyz",
         .help = "able to take mail; 503 with reasons when not",
         .access = Access::everybody,
         .handle = readyz},
        {.method = "GET",
         .path = "/metrics",
         .help = "counters, as Prometheus reads them",
         .handle = metrics},
        {.method = "GET",
         .path = "/v1/status",
         .words = "status",
         .help = "the state at a glance",
         .handle = status,
         .present = shown_by(present_status)},
    };
}

}  // namespace postern::agent
