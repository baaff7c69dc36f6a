// The queue over the status endpoint.
#include <sysexits.h>

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>

#include "agent/limits.h"
#include "agent/status/pages.h"
#include "agent/status/present.h"
#include "agent/status/queue_choice.h"
#include "agent/status/views.h"

namespace postern::agent {
namespace {

using nlohmann::json;
using Kind = Parameter::Kind;
using Place = Parameter::Place;

/// "queue retry: id=... sender=...", as it was asked.
std::string in_words(const Request& request, std::string_view action) {
    std::string words = "queue " + std::string(action) + ':';
    for (const auto& [name, value] : request.parameters)
        words.append(" ").append(name).append("=").append(value);
    return request.parameters.empty() ? words + " all" : words;
}

relay::QueueOrder order(const std::string& name) {
    using relay::QueueOrder;
    static const std::map<std::string, QueueOrder> orders{{"oldest", QueueOrder::oldest},
                                                          {"newest", QueueOrder::newest},
                                                          {"next", QueueOrder::next},
                                                          {"size", QueueOrder::size},
                                                          {"attempts", QueueOrder::attempts}};
    return orders.at(name);
}

Answer count(const Control& control, const Request& request, std::string_view action,
             const relay::Applied& applied) {
    if (applied.messages > 0) note(control, request, in_words(request, action), applied.messages);
    return ok({{"messages", applied.messages}, {"delivering", applied.delivering}, {"held", applied.held}});
}

Answer list(const Control& control, const Request& request) {
    const auto page = control.queue.list(choice(control, request), number(request, "limit"),
                                         number(request, "offset"), order(parameter(request, "sort")));
    json list = json::array();
    for (const auto& message : page.messages) list.push_back(view(message));
    return ok({{"messages", std::move(list)}, {"more", page.more}});
}

Answer summary(const Control& control, const Request& request) {
    return ok(view(control.queue.summary(choice(control, request), number(request, "limit"))));
}

Answer show(const Control& control, const Request& request) {
    const auto found = control.queue.show(request.subject);
    return found ? ok(view(*found))
                 : refusal(404, "no message with this id is in the queue (" + request.subject +
                                    "); what became of it is in the log");
}

/// Does to those chosen what needs to be told no more; `action` is what the log calls it.
Handler acting(std::string_view action, relay::Applied (QueueControl::*act)(const relay::QueueFilter&)) {
    return [action, act](const Control& control, const Request& request) {
        return count(control, request, action, (control.queue.*act)(choice(control, request)));
    };
}

Answer bounce(const Control& control, const Request& request) {
    auto reason = parameter(request, "reason");
    if (std::any_of(reason.begin(), reason.end(), [](char c) { return c < ' ' || c > '~'; }))
        return refusal(400, "the reason is one line of ASCII text");
    if (reason.empty()) reason = "the postmaster of the gateway has ended the attempts to deliver it";
    return count(control, request, "bounce", control.queue.bounce(choice(control, request), reason));
}

Answer move(const Control& control, const Request& request) {
    const auto gateway = parameter(request, "gateway");
    if (!gateway.empty()) {
        const auto gateways = control.outgoing.routes().gateways;
        const auto found = std::find_if(gateways.begin(), gateways.end(),
                                        [&](const auto& each) { return each.name == gateway; });
        if (found == gateways.end()) return refusal(404, "there is no gateway named \"" + gateway + '"');
        if (!found->enabled) return refusal(409, "gateway \"" + gateway + "\" is disabled: enable it first");
    }
    return count(control, request, "move",
                 control.queue.move(choice(control, request, GatewayRole::is_target), gateway));
}

/// Whether messages were chosen and none is there.
int nothing_matched(const json& answer, const Parameters& asked) {
    if (asked.contains("all") || !chooses_messages(asked, GatewayRole::chooses)) return EX_OK;
    const auto& messages = answer.at("messages");
    const bool none = messages.is_array()
                          ? messages.empty()
                          : messages.get<std::uint64_t>() + answer.value("held", std::uint64_t{0}) == 0;
    return none ? EX_NOINPUT : EX_OK;
}

Presenter counts(const char* what) {
    return
        [what](const json& answer, const Parameters&, base::Time) { return present_applied(answer, what); };
}

std::string present_shown(const json& answer, const Parameters& asked, base::Time now) {
    return present_message(answer, now) + (asked.contains("header") ? "\n" + present_header(answer) : "");
}

constexpr Parameter for_gateway{.name = "gateway", .value = "NAME", .help = "what waits for this gateway"};
constexpr Parameter everything{.name = "all", .value = "true", .help = "the whole queue", .kind = Kind::flag};

Endpoint of_messages(std::string_view method, std::string_view path, std::string_view words,
                     std::string_view help, Handler handle, Presenter present,
                     std::vector<Parameter> more = {}) {
    Endpoint endpoint{.method = method,
                      .path = path,
                      .words = words,
                      .help = help,
                      .access = method == "GET" ? Access::readers : Access::operators,
                      .parameters = choice_parameters(),
                      .handle = std::move(handle),
                      .present = std::move(present),
                      .objection = choice_objection,
                      .exit_code = nothing_matched};
    endpoint.parameters.insert(endpoint.parameters.end(), more.begin(), more.end());
    return endpoint;
}

/// What changes messages and therefore needs to be told which.
Endpoint change(std::string_view method, std::string_view path, std::string_view words, std::string_view help,
                Handler handle, Presenter present, std::vector<Parameter> more = {for_gateway}) {
    more.insert(more.begin(), everything);
    auto endpoint =
        of_messages(method, path, words, help, std::move(handle), std::move(present), std::move(more));
    endpoint.objection = deliberate_choice_objection;
    return endpoint;
}

Parameter limit(std::string_view help, std::string_view initial) {
    return {.name = "limit",
            .value = "1-10000",
            .help = help,
            .kind = Kind::number,
            .smallest = 1,
            .largest = limits::page,
            .initial = initial};
}

}  // namespace

std::vector<Endpoint> queue_endpoints() {
    const Parameter sort{.name = "sort",
                         .value = "oldest|newest|next|size|attempts",
                         .help = "what comes first: the next to be tried, the largest, ...",
                         .kind = Kind::word,
                         .initial = "oldest"};
    const Parameter offset{.name = "offset",
                           .value = "NUMBER",
                           .help = "leave out so many first",
                           .kind = Kind::number,
                           .largest = limits::skipped};
    const Parameter reason{.name = "reason", .value = "TEXT", .help = "what the sender is told, one line"};
    const Parameter through{
        .name = "gateway", .value = "NAME", .help = "through this gateway, whatever the rules say"};
    const Parameter rules{
        .name = "rules", .value = "true", .help = "where the rules send it", .kind = Kind::flag};
    auto move_endpoint = change("POST", "/v1/queue/move", "queue move", "send another way", move,
                                counts("will go the other way"), {through, rules});
    move_endpoint.objection = move_objection;
    return {
        of_messages("GET", "/v1/queue", "queue list", "what waits and why", list, shown_by(present_queue),
                    {for_gateway, sort, offset, limit("at most so many messages", "100")}),
        of_messages("GET", "/v1/queue/summary", "queue summary",
                    "what waits by destination and age, by sender and by reason", summary,
                    shown_by(present_summary),
                    {for_gateway, limit("at most so many destinations, senders and reasons", "20")}),
        {.method = "GET",
         .path = "/v1/messages/ID",
         .words = "queue show",
         .help = "one message and why it waits",
         .parameters =
             {{.name = "ID", .value = "ID", .help = "of messages, several at once", .place = Place::paths},
              {.name = "header",
               .value = "true",
               .help = "with the message's whole header",
               .kind = Kind::flag,
               .place = Place::text_only}},
         .handle = show,
         .present = present_shown,
         .absent = EX_NOINPUT},
        of_messages("POST", "/v1/queue/retry", "queue retry", "try again now: all, or those chosen",
                    acting("retry", &QueueControl::retry), counts("will be tried now"), {for_gateway}),
        change("POST", "/v1/queue/hold", "queue hold", "keep until released",
               acting("hold", &QueueControl::hold), counts("held until released")),
        change("POST", "/v1/queue/release", "queue release", "try what is held",
               acting("release", &QueueControl::release), counts("released, to be tried now")),
        change("POST", "/v1/queue/bounce", "queue bounce", "give up and tell the sender", bounce,
               counts("given up; the sender is told"), {for_gateway, reason}),
        change("DELETE", "/v1/queue", "queue delete", "take out of the queue without a bounce",
               acting("delete", &QueueControl::remove), counts("deleted")),
        std::move(move_endpoint),
    };
}

}  // namespace postern::agent
