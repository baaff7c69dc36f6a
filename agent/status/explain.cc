// What would become of a message, and why.
#include <sysexits.h>

#include <nlohmann/json.hpp>

#include "agent/status/pages.h"
#include "agent/status/present.h"
#include "agent/status/views.h"
#include "sync/base/ip_address.h"

namespace postern::agent {
namespace {

using nlohmann::json;

Answer explain(const Control& control, const Request& request) {
    return ok(view(control.directory.explain(parameter(request, "from"), parameter(request, "to"),
                                             parameter(request, "client"))));
}

std::string objection(const Parameters& asked) {
    const auto client = parameter(asked, "client");
    return client.empty() || base::is_ip_literal(client) ? "" : "client: not an IP address";
}

/// Whether the message would be taken.
int taken(const json& explanation, const Parameters&) {
    int code = EX_OK;
    for (const auto* side : {"sender", "recipient"}) {
        const int reply = explanation.at(side).at("reply").at("code").get<int>();
        if (reply >= 500) return EX_NOUSER;
        if (reply >= 400) code = EX_TEMPFAIL;
    }
    return code;
}

}  // namespace

std::vector<Endpoint> explain_endpoints() {
    return {
        {.method = "GET",
         .path = "/v1/explain",
         .words = "explain",
         .help = "what would happen to a message, and why",
         .access = Access::operators,
         .parameters =
             {{.name = "from", .value = "ADDRESS", .help = "sender; leave out for a bounce, which has none"},
              {.name = "to", .value = "ADDRESS", .help = "recipient", .required = true},
              {.name = "client", .value = "IP", .help = "IP address it would come from; else a primary's"}},
         .handle = explain,
         .present = shown_by(present_explanation),
         .objection = objection,
         .exit_code = taken}};
}

}  // namespace postern::agent
