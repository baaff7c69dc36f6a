// Gateways, routes and egress addresses over the status endpoint.
#include <algorithm>
#include <nlohmann/json.hpp>
#include <utility>

#include "agent/log/egress_state.h"
#include "agent/machine/address_text.h"
#include "agent/status/pages.h"
#include "agent/status/present.h"
#include "agent/status/views.h"

namespace postern::agent {
namespace {

using nlohmann::json;
using Place = Parameter::Place;

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

/// What there is of one kind, by its name.
Handler listing(std::string_view name, json (*view)(const OutgoingRoutes&)) {
    return [name, view](const Control& control, const Request&) {
        return ok({{name, view(control.outgoing.routes())}});
    };
}

/// Turns on or off what the path names; the log has "gateway archive enabled" of it.
Handler switching(std::string_view kind, Changed (OutgoingControl::*change)(const std::string&, bool),
                  bool value, std::string_view done) {
    return [=](const Control& control, const Request& request) {
        const auto what = std::string(kind) + ' ' + request.subject + ' ' + std::string(done);
        return outcome(control, request, what, (control.outgoing.*change)(request.subject, value));
    };
}

relay::RouteSettings route(const Request& request) {
    return {parameter(request, "sender"), parameter(request, "recipient"), parameter(request, "gateway"),
            false};
}

Answer set(const Control& control, const Request& request) {
    const auto wanted = route(request);
    return outcome(control, request, "route for " + in_words(wanted) + " set to gateway " + wanted.gateway,
                   control.outgoing.set_route(wanted));
}

Answer unset(const Control& control, const Request& request) {
    const auto wanted = route(request);
    return outcome(control, request, "route for " + in_words(wanted) + " unset",
                   control.outgoing.unset_route(wanted));
}

/// What was forgotten must not become "everything".
std::string whose_mail(const Parameters& asked) {
    return asked.contains("sender") || asked.contains("recipient")
               ? ""
               : "give a sender, a recipient or both; sender \"*\" is everybody";
}

Answer forget(const Control& control, const Request& request) {
    const auto& name = request.subject;
    const auto site = parameter(request, "site");
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

Endpoint list(std::string_view path, std::string_view words, std::string_view help, Handler handle,
              Presenter present) {
    return {.method = "GET",
            .path = path,
            .words = words,
            .help = help,
            .handle = std::move(handle),
            .present = std::move(present)};
}

Endpoint change(std::string_view path, std::string_view words, std::string_view help,
                std::vector<Parameter> parameters, Handler handle, Presenter present) {
    return {.method = "POST",
            .path = path,
            .words = words,
            .help = help,
            .access = Access::operators,
            .parameters = std::move(parameters),
            .handle = std::move(handle),
            .present = std::move(present)};
}

}  // namespace

std::vector<Endpoint> outgoing_endpoints() {
    const Parameter gateway{.name = "NAME", .value = "NAME", .help = "as listed", .place = Place::path};
    const Parameter address{.name = "ADDRESS", .value = "ADDRESS", .help = "as listed", .place = Place::path};
    const Parameter site{.name = "site", .value = "SITE", .help = "only there, as \"egress list\" shows it"};
    const Parameter sender{
        .name = "sender", .value = "ADDRESS|DOMAIN|*", .help = "user@domain, a domain, or * for everybody"};
    const Parameter recipient{.name = "recipient", .value = "DOMAIN", .help = "a domain"};
    const Parameter through{
        .name = "gateway", .value = "GATEWAY", .help = "its name", .place = Place::word, .required = true};
    return {
        list("/v1/gateways", "gateway list", "next hops, and what is wrong with them",
             listing("gateways", gateways_view), shown_by(present_gateways)),
        change("/v1/gateways/NAME/enable", "gateway enable", "send mail through it", {gateway},
               switching("gateway", &OutgoingControl::enable_gateway, true, "enabled"),
               says("mail goes through this gateway again\n")),
        change("/v1/gateways/NAME/disable", "gateway disable", "send its mail where the rules say without it",
               {gateway}, switching("gateway", &OutgoingControl::enable_gateway, false, "disabled"),
               says("no more mail goes through this gateway; what waits for it moves\n")),
        list("/v1/routes", "route list", "which mail goes through which gateway",
             listing("routes", routes_view), shown_by(present_routes)),
        {.method = "POST",
         .path = "/v1/routes",
         .words = "route set",
         .help = "send mail through a gateway, until unset",
         .access = Access::operators,
         .parameters = {sender, recipient, through},
         .handle = set,
         .present = says("the route is in force, and kept until it is unset\n"),
         .objection = whose_mail},
        {.method = "DELETE",
         .path = "/v1/routes",
         .words = "route unset",
         .help = "take back what was set",
         .access = Access::operators,
         .parameters = {sender, recipient},
         .handle = unset,
         .present = says("the route is gone\n"),
         .objection = whose_mail},
        list("/v1/egress", "egress list", "addresses mail leaves from, and where they are listed",
             listing("egress", egress_view), shown_by(present_egress)),
        change("/v1/egress/ADDRESS/suspend", "egress suspend", "let no mail leave from it", {address},
               switching("egress", &OutgoingControl::suspend_egress, true, "suspended"),
               says("no more mail leaves from this address\n")),
        change("/v1/egress/ADDRESS/resume", "egress resume", "use it again", {address},
               switching("egress", &OutgoingControl::suspend_egress, false, "resumed"),
               says("mail may leave from this address again\n")),
        change("/v1/egress/ADDRESS/forget", "egress forget", "drop what was learnt against it",
               {address, site}, forget,
               says_whether("forgotten", "forgotten; the address is used there again\n",
                            "nothing was known against it there\n")),
    };
}

}  // namespace postern::agent
