// The queue over the status endpoint.
#include <algorithm>
#include <charconv>
#include <chrono>
#include <map>
#include <nlohmann/json.hpp>

#include "agent/settings/quantity.h"
#include "agent/status/paths.h"
#include "agent/status/views.h"
#include "relay/mail/route_key.h"

namespace postern::agent {
namespace {

using nlohmann::json;

constexpr std::size_t default_limit = 100, default_kinds = 20, largest_limit = 10'000,
                      largest_offset = 10'000'000;

using Choice = tl::expected<relay::QueueFilter, Answer>;

enum class Gateway : std::uint8_t { chooses, is_target };

/// Which messages are meant. `gateway` is another way to say `route`, except where it is the target of a
/// move.
Choice choice(const Request& request, Gateway gateway = Gateway::chooses) {
    relay::QueueFilter filter{parameter(request, "id"),
                              parameter(request, "sender"),
                              parameter(request, "recipient"),
                              parameter(request, "route"),
                              false,
                              {}};
    if (const auto held = parameter(request, "held"); !held.empty()) {
        if (held != "true") return tl::make_unexpected(refusal(400, "held can only be true"));
        filter.held = true;
    }
    if (const auto older = parameter(request, "older"); !older.empty()) {
        const auto age = parse_duration(older);
        if (!age) return tl::make_unexpected(refusal(400, "older: " + age.error()));
        filter.before = std::chrono::system_clock::now() - *age;
    }
    if (gateway == Gateway::is_target) return filter;
    if (const auto name = parameter(request, "gateway"); !name.empty()) {
        if (!filter.route.empty())
            return tl::make_unexpected(refusal(400, "route and gateway mean the same: give one of them"));
        filter.route = relay::RouteKey::gateway(name).text();
    }
    return filter;
}

/// As choice(); something has to be chosen, or everything by all=true alone.
Choice deliberate_choice(const Request& request, Gateway gateway = Gateway::chooses) {
    auto filter = choice(request, gateway);
    if (!filter) return filter;
    const bool chosen = filter->held || filter->before != std::chrono::system_clock::time_point{} ||
                        !(filter->id + filter->sender + filter->recipient + filter->route).empty();
    const auto all = parameter(request, "all");
    if (chosen == all.empty() && (chosen || all == "true")) return filter;
    return tl::make_unexpected(refusal(400,
                                       "name the messages by id, sender, recipient, route, held or older, or "
                                       "all of them by all=true and no other"));
}

/// nullopt when what is given is no number up to `largest`.
std::optional<std::size_t> number(const Request& request, const std::string& name, std::size_t initial,
                                  std::size_t largest) {
    const auto given = parameter(request, name);
    if (given.empty()) return initial;
    std::size_t value = 0;
    const auto [end, error] = std::from_chars(given.data(), given.data() + given.size(), value);
    if (error != std::errc() || end != given.data() + given.size() || value > largest) return std::nullopt;
    return value;
}

/// "queue retry: id=... sender=...", as it was asked.
std::string in_words(const Request& request, std::string_view action) {
    std::string words = "queue " + std::string(action) + ':';
    for (const auto& [name, value] : request.parameters)
        words.append(" ").append(name).append("=").append(value);
    return request.parameters.empty() ? words + " all" : words;
}

std::optional<relay::QueueOrder> order(const std::string& name) {
    using relay::QueueOrder;
    static const std::map<std::string, QueueOrder> orders{
        {"", QueueOrder::oldest},   {"oldest", QueueOrder::oldest}, {"newest", QueueOrder::newest},
        {"next", QueueOrder::next}, {"size", QueueOrder::size},     {"attempts", QueueOrder::attempts}};
    const auto found = orders.find(name);
    return found == orders.end() ? std::nullopt : std::optional(found->second);
}

Answer count(const Control& control, const Request& request, std::string_view action,
             const relay::Applied& applied) {
    if (applied.messages > 0) note(control, request, in_words(request, action), applied.messages);
    return ok({{"messages", applied.messages}, {"delivering", applied.delivering}, {"held", applied.held}});
}

}  // namespace

Answer answer_queue(const Control& control, const Request& request) {
    const auto limit = number(request, "limit", default_limit, largest_limit);
    const auto offset = number(request, "offset", 0, largest_offset);
    if (!limit || *limit == 0)
        return refusal(400, "limit is not a number from 1 to " + std::to_string(largest_limit));
    if (!offset) return refusal(400, "offset is not a number from 0 to " + std::to_string(largest_offset));
    const auto sort = order(parameter(request, "sort"));
    if (!sort) return refusal(400, "sort is one of oldest, newest, next, size, attempts");
    const auto filter = choice(request);
    if (!filter) return filter.error();
    const auto page = control.queue.list(*filter, *limit, *offset, *sort);
    json list = json::array();
    for (const auto& message : page.messages) list.push_back(view(message));
    return ok({{"messages", std::move(list)}, {"more", page.more}});
}

Answer answer_summary(const Control& control, const Request& request) {
    const auto limit = number(request, "limit", default_kinds, largest_limit);
    if (!limit || *limit == 0)
        return refusal(400, "limit is not a number from 1 to " + std::to_string(largest_limit));
    const auto filter = choice(request);
    return filter ? ok(view(control.queue.summary(*filter, *limit))) : filter.error();
}

Answer answer_message(const Control& control, const Request& request) {
    const auto found = control.queue.show(request.path.substr(sizeof("/v1/messages/") - 1));
    return found ? ok(view(*found)) : refusal(404, "no message with this id is in the queue");
}

Answer retry_messages(const Control& control, const Request& request) {
    const auto filter = choice(request);
    return filter ? count(control, request, "retry", control.queue.retry(*filter)) : filter.error();
}

Answer remove_messages(const Control& control, const Request& request) {
    const auto filter = deliberate_choice(request);
    return filter ? count(control, request, "delete", control.queue.remove(*filter)) : filter.error();
}

Answer hold_messages(const Control& control, const Request& request) {
    const auto filter = deliberate_choice(request);
    return filter ? count(control, request, "hold", control.queue.hold(*filter)) : filter.error();
}

Answer release_messages(const Control& control, const Request& request) {
    const auto filter = deliberate_choice(request);
    return filter ? count(control, request, "release", control.queue.release(*filter)) : filter.error();
}

Answer bounce_messages(const Control& control, const Request& request) {
    const auto filter = deliberate_choice(request);
    if (!filter) return filter.error();
    auto reason = parameter(request, "reason");
    if (std::any_of(reason.begin(), reason.end(), [](char c) { return c < ' ' || c > '~'; }))
        return refusal(400, "the reason is one line of ASCII text");
    if (reason.empty()) reason = "the postmaster of the gateway has ended the attempts to deliver it";
    return count(control, request, "bounce", control.queue.bounce(*filter, reason));
}

Answer move_messages(const Control& control, const Request& request) {
    const auto filter = deliberate_choice(request, Gateway::is_target);
    if (!filter) return filter.error();
    const auto gateway = parameter(request, "gateway"), rules = parameter(request, "rules");
    if (gateway.empty() == rules.empty() || (!rules.empty() && rules != "true"))
        return refusal(400, "say where to: gateway=NAME, or rules=true for where the rules send it");
    if (!gateway.empty()) {
        const auto gateways = control.outgoing.routes().gateways;
        const auto found = std::find_if(gateways.begin(), gateways.end(),
                                        [&](const auto& each) { return each.name == gateway; });
        if (found == gateways.end()) return refusal(404, "there is no gateway named \"" + gateway + '"');
        if (!found->enabled) return refusal(409, "gateway \"" + gateway + "\" is disabled: enable it first");
    }
    return count(control, request, "move", control.queue.move(*filter, gateway));
}

}  // namespace postern::agent
