#include "agent/status/endpoints.h"

#include <algorithm>
#include <iterator>

#include "agent/status/pages.h"

namespace postern::agent {

const std::vector<Endpoint>& endpoints() {
    static const std::vector<Endpoint> table = [] {
        std::vector<Endpoint> all;
        for (auto* rows : {state_endpoints, explain_endpoints, queue_endpoints, spool_endpoints,
                           sender_endpoints, screening_endpoints, cluster_endpoints, outgoing_endpoints,
                           tls_report_endpoints, directory_endpoints, reload_endpoints}) {
            auto more = rows();
            std::move(more.begin(), more.end(), std::back_inserter(all));
        }
        return all;
    }();
    return table;
}

const std::vector<CommandGroup>& command_groups() {
    static const std::vector<CommandGroup> groups{
        {.name = "queue",
         .help = "what waits",
         .unanswered = "What waits stays on disk meanwhile; only the running gateway can show it"},
        {.name = "spool",
         .help = "the files of the mail",
         .local = "check",
         .unanswered = "What was set aside stays in state_dir/damaged"},
        {.name = "gateway", .help = "next hops", .alone = "gateway list"},
        {.name = "route", .help = "which mail goes through which gateway", .alone = "route list"},
        {.name = "egress", .help = "addresses mail leaves from", .alone = "egress list"},
        {.name = "directory", .help = "what is known of the primaries", .alone = "directory"},
        {.name = "senders", .help = "how much each sender handed in, and may", .alone = "senders"},
        {.name = "tls-reports", .help = "what domains are told of TLS", .alone = "tls-reports list"},
    };
    return groups;
}

Answer respond(const Control& control, const Request& request) {
    const std::string_view method = request.method == "HEAD" ? "GET" : std::string_view(request.method);
    std::string allow;
    for (const auto& endpoint : endpoints()) {
        auto subject = endpoint.match(request.path);
        if (!subject) continue;
        if (endpoint.method != method) {
            allow.append(allow.empty() ? "" : ", ").append(endpoint.method);
            continue;
        }
        if (endpoint.access == Access::operators && !request.authorised)
            return refusal(401, "this is for root, the gateway's account, and who shows the token");
        if (const auto fault = endpoint.fault(request.parameters); !fault.empty()) return refusal(400, fault);
        Request whole = request;
        whole.subject = std::move(*subject);
        for (const auto& each : endpoint.parameters)
            if (!each.initial.empty() && !whole.parameters.contains(std::string(each.name)))
                whole.parameters.emplace(each.name, each.initial);
        return endpoint.handle(control, whole);
    }
    if (allow.empty()) return refusal(404, "there is no such path; GET / lists them");
    auto answer = refusal(405, "this path takes " + allow);
    answer.allow = allow;
    return answer;
}

bool is_for_everybody(std::string_view path) {
    return std::any_of(endpoints().begin(), endpoints().end(), [path](const Endpoint& each) {
        return each.access == Access::everybody && each.path == path;
    });
}

}  // namespace postern::agent
