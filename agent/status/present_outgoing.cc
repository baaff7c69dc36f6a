// Gateways, routes and egress addresses as text for people.
#include <nlohmann/json.hpp>
#include <vector>

#include "agent/status/present.h"
#include "agent/status/table.h"

namespace postern::agent {
namespace {

using nlohmann::json;

/// "@DOMAIN" is a receiver's word about that domain's mail alone.
std::string refusal(const std::string& site) {
    if (site.empty()) return "listed everywhere";
    return site.starts_with('@') ? "refused for mail to " + site.substr(1) : "refused by " + site;
}

std::string listing(const json& entry, base::Time now) {
    std::string line =
        "    " + refusal(text_field(entry, "site")) + " since " + when_field(entry, "since", now);
    line += entry.at("probing").get<bool>() ? ", being tried again with little mail"
                                            : ", until " + when_field(entry, "until", now);
    line += ": " + text_field(entry, "by");
    if (const auto text = text_field(entry, "text"); !text.empty()) line += ": " + text;
    return line + '\n';
}

/// Of an address with such listings; where it is refused is too long for a column.
std::string standing(const json& listings) {
    std::string out = "on probation";
    for (const auto& entry : listings) {
        if (entry.at("probing").get<bool>()) continue;
        if (text_field(entry, "site").empty()) return "listed everywhere";
        out = "refused somewhere";
    }
    return out;
}

}  // namespace

std::string present_gateways(const json& answer, base::Time now) {
    const auto& gateways = answer.at("gateways");
    if (gateways.empty()) return "there is no [[gateway]] in the configuration file\n";
    std::vector<Row> rows{
        {"GATEWAY", "ADDRESS", "TLS", "TYPE", "STATUS", "CONNECTIONS", "WAITING", "TROUBLE"}};
    for (const auto& each : gateways) {
        std::string status = each.at("enabled").get<bool>() ? "enabled" : "disabled";
        if (each.at("overridden").get<bool>()) status += " (set while running)";
        auto trouble = text_field(each, "trouble");
        if (const auto next = when_field(each, "next_try", now); !next.empty())
            trouble += "; next try " + next;
        rows.push_back({text_field(each, "name"), text_field(each, "address"), text_field(each, "tls"),
                        text_field(each, "type"), status, number_field(each, "connections"),
                        number_field(each, "waiting"), trouble});
    }
    return table(rows, "");
}

std::string present_routes(const json& answer) {
    const auto& routes = answer.at("routes");
    if (routes.empty())
        return "there is no route; mail goes by the round-robin gateways or to mail exchangers\n";
    std::vector<Row> rows{{"SENDER", "RECIPIENT", "GATEWAY", "SET", "NOT IN FORCE"}};
    for (const auto& each : routes)
        rows.push_back({or_else(text_field(each, "sender"), "*"), or_else(text_field(each, "recipient"), "*"),
                        text_field(each, "gateway"),
                        text_field(each, "origin") == "file" ? "in the file" : "while running",
                        text_field(each, "trouble")});
    return table(rows, "");
}

std::string present_egress(const json& answer, base::Time now) {
    const auto& addresses = answer.at("egress");
    if (addresses.empty()) return "there is no [[egress]] address: the system chooses\n";
    std::vector<Row> rows{{"ADDRESS", "EHLO", "STATUS", "TODAY", "ALLOWED", "NOTE"}};
    std::string listings;
    for (const auto& each : addresses) {
        std::string status = each.at("suspended").get<bool>() ? "suspended" : "in use";
        if (const auto& of = each.at("listings"); !of.empty()) {
            if (!each.at("suspended").get<bool>()) status = standing(of);
            listings += text_field(each, "address") + '\n';
            for (const auto& entry : of) listings += listing(entry, now);
        }
        const bool warming = !each.at("allowance").is_null();
        auto day =
            each.at("warm_up_day").is_null() ? "" : "warm-up, day " + number_field(each, "warm_up_day");
        for (const auto& site : each.at("held_back")) day += ", held back by " + site.get<std::string>();
        rows.push_back({text_field(each, "address"), text_field(each, "hostname"), status,
                        number_field(each, "sent_today"), warming ? number_field(each, "allowance") : "any",
                        joined(text_field(each, "trouble"), day)});
    }
    return table(rows, "") + (listings.empty() ? "" : '\n' + listings);
}

}  // namespace postern::agent
