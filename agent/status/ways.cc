// Gateways, routes and egress addresses over the status endpoint.
#include <algorithm>
#include <nlohmann/json.hpp>
#include <utility>

#include "agent/log/egress_state.h"
#include "agent/machine/address_text.h"
#include "agent/status/paths.h"
#include "agent/status/views.h"

namespace postern::agent {
namespace {

using nlohmann::json;

/// "archive/enable" behind `prefix` as the name of what is changed and what is done to it.
std::pair<std::string, std::string> name_and_action(const Request& request, std::string_view prefix) {
    const auto rest = std::string_view(request.path).substr(prefix.size());
    const auto slash = rest.rfind('/');
    if (slash == std::string_view::npos) return {};
    return {std::string(rest.substr(0, slash)), std::string(rest.substr(slash + 1))};
}

Answer no_action(std::string_view allowed) {
    return refusal(404, "there is no such path; allowed behind the name: " + std::string(allowed));
}

Answer outcome(const Control& control, const Request& request, const std::string& what,
               const Changed& changed) {
    if (changed) note(control, request, what);
    if (changed) return ok({{"changed", true}});
    const auto& why = changed.error().why;
    switch (changed.error().kind) {
        case Objection::Kind::wrong: return refusal(400, why);
        case Objection::Kind::unknown: return refusal(404, why);
        case Objection::Kind::conflict: return refusal(409, why);
        case Objection::Kind::failed: return refusal(500, why);
    }
    return refusal(500, why);
}

relay::RouteSettings route(const Request& request) {
    relay::RouteSettings result;
    result.sender = parameter(request, "sender");
    result.recipient = parameter(request, "recipient");
    result.gateway = parameter(request, "gateway");
    result.configured = false;
    return result;
}

}  // namespace

Answer answer_gateways(const Control& control, const Request&) {
    return ok({{"gateways", gateways_view(control.outgoing.routes())}});
}

Answer switch_gateway(const Control& control, const Request& request) {
    const auto [name, action] = name_and_action(request, "/v1/gateways/");
    if (name.empty() || (action != "enable" && action != "disable")) return no_action("enable, disable");
    return outcome(control, request, "gateway " + name + ' ' + action + 'd',
                   control.outgoing.enable_gateway(name, action == "enable"));
}

Answer answer_routes(const Control& control, const Request&) {
    return ok({{"routes", routes_view(control.outgoing.routes())}});
}

Answer add_route(const Control& control, const Request& request) {
    const auto wanted = route(request);
    return outcome(control, request, "route for " + in_words(wanted) + " set to gateway " + wanted.gateway,
                   control.outgoing.set_route(wanted));
}

Answer remove_route(const Control& control, const Request& request) {
    const auto wanted = route(request);
    return outcome(control, request, "route for " + in_words(wanted) + " unset",
                   control.outgoing.unset_route(wanted));
}

Answer answer_egress(const Control& control, const Request&) {
    return ok({{"egress", egress_view(control.outgoing.routes())}});
}

Answer change_egress(const Control& control, const Request& request) {
    const auto [name, action] = name_and_action(request, "/v1/egress/");
    const bool suspend = action == "suspend", forget = action == "forget";
    if (name.empty() || (!suspend && !forget && action != "resume"))
        return no_action("suspend, resume, forget");
    const auto site = parameter(request, "site");
    if (!forget && !site.empty()) return refusal(400, "only what is forgotten can have a site");
    if (!forget)
        return outcome(control, request, "egress " + name + (suspend ? " suspended" : " resumed"),
                       control.outgoing.suspend_egress(name, suspend));
    const auto address = name == system_choice ? std::string() : canonical_ip(name).value_or(name);
    const auto egress = control.outgoing.routes().egress;
    if (std::none_of(egress.begin(), egress.end(), [&](const auto& each) { return each.address == address; }))
        return refusal(404, "mail leaves from no such address");
    const bool forgotten = control.outgoing.forget_egress(address, site);
    if (forgotten)
        note(control, request,
             "verdicts about egress " + name + (site.empty() ? "" : " at " + site) + " forgotten");
    return ok({{"forgotten", forgotten}});
}

}  // namespace postern::agent
