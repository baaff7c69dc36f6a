// Other gateways for the same primaries: who they are, who polls, how they are reached.
#include <nlohmann/json.hpp>

#include "agent/status/pages.h"
#include "agent/status/present.h"
#include "agent/status/table.h"
#include "agent/status/views.h"
#include "sync/base/time_text.h"

namespace postern::agent {
namespace {

using nlohmann::json;
using Standing = sync::ClusterView::Standing;
using Whose = sync::Turn::Whose;

std::string_view text_of(Standing standing) {
    switch (standing) {
        case Standing::away: return "away";
        case Standing::slow: return "slow";
        case Standing::reached: break;
    }
    return "reached";
}

Answer cluster(const Control& control, const Request&) {
    const auto view = control.process.cluster();
    if (!view.on) return ok({{"on", false}});
    json gateways = json::array(), directories = json::array();
    for (const auto& one : view.members)
        gateways.push_back({{"name", one.name},
                            {"version", one.version},
                            {"live", one.live},
                            {"this", one.name == view.name},
                            {"polls", one.name == view.turn.name},
                            {"heard_seconds_ago", static_cast<double>(one.heard.count()) / 1000}});
    for (const auto& one : view.directories)
        directories.push_back({{"primary", one.primary}, {"turn", one.fence}, {"bytes", one.octets}});
    return ok({{"on", true},
               {"name", view.name},
               {"server", view.where},
               {"state", text_of(view.standing)},
               {"since", base::iso_time(view.since)},
               {"reason", view.why},
               {"same_name", view.twin},
               {"polls", view.turn.whose == Whose::unknown ? json() : json(view.turn.name)},
               {"turn", view.fence},
               {"limits_shared_by", view.gateways},
               {"exchange_milliseconds", static_cast<double>(view.took.count()) / 1000},
               {"clock_ahead_seconds", static_cast<double>(view.ahead.count()) / 1000},
               {"told", view.told},
               {"heard", view.heard},
               {"lost", view.lost},
               {"counts_asked", view.questions},
               {"gateways", std::move(gateways)},
               {"directories", std::move(directories)}});
}

std::string seconds_ago(const json& one) {
    const double seconds = one.at("heard_seconds_ago").get<double>();
    if (seconds >= 60) return std::to_string(static_cast<long>(seconds / 60)) + " min ago";
    return std::to_string(static_cast<long>(seconds)) + " s ago";
}

std::string present(const json& answer, base::Time now) {
    if (!answer.at("on").get<bool>()) return "there is no other gateway: cluster.url is empty\n";
    const auto state = text_field(answer, "state");
    const auto since =
        base::relative_time(base::parse_iso_time(text_field(answer, "since")).value_or(now), now);
    std::string out = text_field(answer, "name") + " through " + text_field(answer, "server") + ": ";
    if (state == "reached")
        out += "reached since " + since + '\n';
    else
        out +=
            (state == "slow" ? "slow since " : "not reached since ") + since + ": " +
            text_field(answer, "reason") +
            "\nmail does not wait: each gateway goes by what it knows, and a share of each limit (one of " +
            number_field(answer, "limits_shared_by") + ")\n";
    if (const auto twin = text_field(answer, "same_name"); !twin.empty()) out += twin + '\n';
    const auto& polls = answer.at("polls");
    if (polls.is_null())
        out += "nobody knows who polls the primaries: each gateway does, less often\n";
    else if (polls.get<std::string>().empty())
        out += "nobody polls the primaries yet: whose turn it is begins in some seconds\n";
    else
        out +=
            polls.get<std::string>() + " polls the primaries (turn " + number_field(answer, "turn") + ")\n";
    const double ahead = answer.at("clock_ahead_seconds").get<double>();
    if (ahead > 5 || ahead < -5)
        out += "the clock there is " + std::to_string(static_cast<long>(ahead < 0 ? -ahead : ahead)) + " s " +
               (ahead > 0 ? "ahead of" : "behind") + " this machine's: counts are compared by that one\n";
    if (answer.at("lost").get<std::uint64_t>() > 0)
        out += number_field(answer, "lost") + " facts could not be told to the others\n";
    std::vector<Row> rows{{"GATEWAY", "VERSION", "HEARD", ""}};
    for (const auto& one : answer.at("gateways")) {
        std::string what = one.at("this").get<bool>() ? "this one" : "";
        if (one.at("polls").get<bool>()) what += what.empty() ? "polls" : ", polls";
        if (!one.at("live").get<bool>()) what += what.empty() ? "gone" : ", gone";
        rows.push_back({text_field(one, "name"), text_field(one, "version"), seconds_ago(one), what});
    }
    return out + table(rows, "");
}

}  // namespace

std::vector<Endpoint> cluster_endpoints() {
    return {{.method = "GET",
             .path = "/v1/cluster",
             .words = "cluster",
             .help = "other gateways that share what this one knows, and who of them polls",
             .handle = cluster,
             .present = shown_by(present)}};
}

}  // namespace postern::agent
