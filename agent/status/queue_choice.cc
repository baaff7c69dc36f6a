#include "agent/status/queue_choice.h"

#include <algorithm>

#include "agent/settings/quantity.h"
#include "relay/mail/route_key.h"

namespace postern::agent {

const std::vector<Parameter>& choice_parameters() {
    static const std::vector<Parameter> parameters{
        {.name = "id",
         .value = "ID",
         .help = "of messages, several at once",
         .place = Parameter::Place::words},
        {.name = "sender", .value = "ADDRESS|DOMAIN", .help = "sender of the envelope, or its domain"},
        {.name = "recipient", .value = "ADDRESS|DOMAIN", .help = "recipient of the envelope, or its domain"},
        {.name = "held", .value = "true", .help = "what is held", .kind = Parameter::Kind::flag},
        {.name = "older",
         .value = "DURATION",
         .help = "what has waited longer than this, as 4h or 1d12h",
         .kind = Parameter::Kind::duration},
        {.name = "route", .value = "ROUTE", .help = "as \"queue list\" shows it, such as mx:example.net"},
    };
    return parameters;
}

relay::QueueFilter choice(const Control& control, const Request& request, GatewayRole gateway) {
    relay::QueueFilter filter{
        parameter(request, "id"),    parameter(request, "sender"),        parameter(request, "recipient"),
        parameter(request, "route"), request.parameters.contains("held"), {}};
    if (const auto older = parse_duration(parameter(request, "older")))
        filter.before = control.clock.wall() - *older;
    if (const auto name = parameter(request, "gateway"); !name.empty() && gateway == GatewayRole::chooses)
        filter.route = relay::RouteKey::gateway(name).text();
    return filter;
}

bool chooses_messages(const Parameters& asked, GatewayRole gateway) {
    const auto& names = choice_parameters();
    return std::any_of(names.begin(), names.end(),
                       [&](const auto& each) { return asked.contains(std::string(each.name)); }) ||
           (gateway == GatewayRole::chooses && asked.contains("gateway"));
}

std::string choice_objection(const Parameters& asked) {
    return asked.contains("route") && asked.contains("gateway")
               ? "route and gateway mean the same: give one of them"
               : "";
}

/// What was forgotten must not become "everything".
std::string deliberate_choice_objection(const Parameters& asked) {
    if (chooses_messages(asked, GatewayRole::chooses) == asked.contains("all"))
        return "choose the messages by id, sender, recipient, held, older, route or gateway, or the whole "
               "queue by all and no other";
    return choice_objection(asked);
}

std::string move_objection(const Parameters& asked) {
    if (chooses_messages(asked, GatewayRole::is_target) == asked.contains("all"))
        return "choose the messages by id, sender, recipient, held, older or route, or the whole queue by "
               "all and no other";
    if (asked.contains("gateway") == asked.contains("rules"))
        return "say where to: gateway, or rules for where the rules send it";
    return "";
}

}  // namespace postern::agent
