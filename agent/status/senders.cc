// How much each sender handed in, and may.
#include <nlohmann/json.hpp>

#include "agent/limits.h"
#include "agent/settings/quantity.h"
#include "agent/status/pages.h"
#include "agent/status/present.h"
#include "agent/status/table.h"

namespace postern::agent {
namespace {

using nlohmann::json;

json view(const relay::VolumeView& sender) {
    json counts = json::array();
    for (const auto& one : sender.counts)
        counts.push_back(
            {{"what", one.unit == relay::VolumeLimit::Unit::messages ? "messages" : "recipients"},
             {"period", format_duration(one.period)},
             {"used", one.used},
             {"limit", one.limit ? json(*one.limit) : json(nullptr)}});
    return {{"scope", relay::text_of(sender.scope)}, {"sender", sender.who}, {"counts", std::move(counts)}};
}

Answer senders(const Control& control, const Request& request) {
    const auto most = std::stoul(parameter(request, "limit"));
    json list = json::array();
    for (const auto& one : control.process.senders(parameter(request, "sender"), most))
        list.push_back(view(one));
    return ok(
        {{"counted", "recipients outside of the primaries' domains, and messages with one, by acceptance"},
         {"senders", std::move(list)}});
}

/// "12 of 1000", "12" where there is no limit.
std::string used_of(const json& count) {
    std::string out = number_field(count, "used");
    if (!count.at("limit").is_null()) out += " of " + number_field(count, "limit");
    return out;
}

std::string present(const json& answer) {
    std::vector<Row> rows{{"scope", "sender"}};
    for (const auto& sender : answer.at("senders")) {
        if (rows.size() == 1)
            for (const auto& count : sender.at("counts"))
                rows.front().push_back(text_field(count, "what") + '/' + text_field(count, "period"));
        rows.push_back({text_field(sender, "scope"), text_field(sender, "sender")});
        for (const auto& count : sender.at("counts")) rows.back().push_back(used_of(count));
    }
    if (rows.size() == 1) return "nobody sent anything to the outside in the last day\n";
    return table(rows, "") + "counted: " + text_field(answer, "counted") + '\n';
}

}  // namespace

std::vector<Endpoint> sender_endpoints() {
    return {
        {.method = "GET",
         .path = "/v1/senders",
         .words = "senders",
         .help = "how much each sender handed in, and may",
         .parameters = {{.name = "sender", .value = "NAME", .help = "a user, a domain or a primary alone"},
                        {.name = "limit",
                         .value = "N",
                         .help = "at most so many",
                         .kind = Parameter::Kind::number,
                         .largest = limits::page,
                         .initial = "20"}},
         .handle = senders,
         .present = shown_by(present)}};
}

}  // namespace postern::agent
