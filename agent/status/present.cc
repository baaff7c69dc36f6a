#include "agent/status/present.h"

#include <algorithm>
#include <array>
#include <cstdio>
#include <nlohmann/json.hpp>
#include <vector>

#include "agent/log/log_line.h"
#include "agent/settings/quantity.h"
#include "agent/status/table.h"
#include "sync/base/time_text.h"

namespace postern::agent {
namespace {

using nlohmann::json;

std::string suspicions(const json& object) {
    std::string notes;
    for (const auto& held : object.value("suspicions", json::array()))
        notes += (notes.empty() ? "" : "; ") + text_field(held, "what") + " held back since " +
                 time_field(held, "since") + ": " + number_field(held, "now") + " instead of " +
                 number_field(held, "before");
    return notes;
}

std::string unusable(const json& object) {
    const auto names = printable(object.value("unusable", std::string()));
    return names.empty() ? names : names + " that no mail can have";
}

Row primary_row(const json& primary, base::Time now) {
    const bool lists = primary.at("lists_addresses").get<bool>();
    std::string state = or_else(when_field(primary, "last_success", now),
                                lists ? "not read since the start" : "not there since the start");
    if (!lists) state = "cannot be read; answered " + state;
    if (!primary.at("credentials_refused_since").is_null())
        state = "CREDENTIALS REFUSED since " + when_field(primary, "credentials_refused_since", now);
    if (primary.at("polling").get<bool>()) state += " (reading now)";
    if (const auto other = printable(primary.value("polled_by", std::string())); !other.empty())
        state += "; polled by gateway " + other;
    return {text_field(primary, "name"), text_field(primary, "url"), state,
            when_field(primary, "next_round", now),
            joined(joined(text_field(primary, "error"), suspicions(primary)), unusable(primary))};
}

std::string primaries(const json& list, base::Time now) {
    if (list.empty()) return "no primary has a directory (no url is set)\n";
    std::vector<Row> rows{{"PRIMARY", "URL", "READ", "NEXT", "TROUBLE"}};
    for (const auto& primary : list) rows.push_back(primary_row(primary, now));
    return table(rows, "");
}

std::string verdict_line(const json& entry) {
    std::string line = text_field(entry, "verdict") + ": " + text_field(entry, "reason");
    const auto primary = text_field(entry, "primary");
    if (!primary.empty()) line += ", primary " + primary;
    const auto age = entry.at("age_seconds").get<std::int64_t>();
    if (age > 0) line += ", read " + format_duration(std::chrono::seconds(age)) + " ago";
    return line + '\n';
}

Row domain_row(const json& domain) {
    std::string state = domain.at("enabled").get<bool>() ? "" : "disabled";
    if (const auto error = text_field(domain, "error"); !error.empty())
        state = joined(state, error + " (" + time_field(domain, "error_at") + ')');
    const bool listed = domain.at("lists_addresses").get<bool>();
    const auto catch_all = text_field(domain, "catch_all");
    if (!listed && !catch_all.empty())
        state = joined(state, "the primary accepts every address, so who is unknown cannot be refused");
    state = joined(joined(state, suspicions(domain)), unusable(domain));
    const auto count = [&](const char* key) { return listed ? number_field(domain, key) : std::string("-"); };
    return {text_field(domain, "name"),
            text_field(domain, "primary"),
            count("users"),
            count("aliases"),
            count("lists"),
            or_else(catch_all, "-"),
            or_else(time_field(domain, "read"), listed ? "not yet" : "one by one"),
            state};
}

std::string domains(const json& list) {
    std::vector<Row> rows{{"DOMAIN", "PRIMARY", "USERS", "ALIASES", "LISTS", "CATCH-ALL", "READ", "NOTE"}};
    for (const auto& domain : list) {
        rows.push_back(domain_row(domain));
        for (const auto& alias : domain.at("domain_aliases"))
            rows.push_back({"  = " + printable(alias.get_ref<const std::string&>())});
    }
    return table(rows, "");
}

std::string judged(const char* who, const json& side) {
    const auto& reply = side.at("reply");
    const bool taken = reply.at("code").get<int>() < 400;
    std::string line = std::string(who) + (taken ? "accepted" : "refused: " + text_field(reply, "line"));
    if (const auto why = text_field(side, "why"); !why.empty()) line += " (" + why + ')';
    return line + '\n';
}

bool idle(const json& destination) {
    bool nothing = text_field(destination, "trouble").empty();
    for (const auto* key : {"ready", "delivering", "waiting", "connections"})
        nothing = nothing && destination.at(key).get<std::uint64_t>() == 0;
    return nothing;
}

/// What wants attention first: trouble, then the longest lines. What is idle is left out, and what is held is
/// told beside the queue.
std::string destinations(const json& list, base::Time now) {
    constexpr std::size_t most = 15;
    const auto waiting = [](const json* each) { return each->at("waiting").get<std::uint64_t>(); };
    std::vector<const json*> busy;
    for (const auto& each : list)
        if (!idle(each) && text_field(each, "route") != "held") busy.push_back(&each);
    if (busy.empty()) return {};
    const auto urgency = [&](const json* each) {
        return std::pair(!text_field(*each, "trouble").empty(), waiting(each));
    };
    std::stable_sort(busy.begin(), busy.end(),
                     [&](const json* a, const json* b) { return urgency(a) > urgency(b); });
    std::vector<Row> rows{{"DESTINATION", "READY", "DELIVERING", "WAITING", "CONNECTIONS", "TROUBLE"}};
    std::size_t left = 0;
    std::uint64_t left_waiting = 0;
    for (const auto* each : busy) {
        if (rows.size() > most) {
            ++left;
            left_waiting += waiting(each);
            continue;
        }
        auto trouble = text_field(*each, "trouble");
        if (!trouble.empty()) trouble += "; next try " + when_field(*each, "next_try", now);
        rows.push_back({text_field(*each, "route"), number_field(*each, "ready"),
                        number_field(*each, "delivering"), number_field(*each, "waiting"),
                        number_field(*each, "connections"), trouble});
    }
    std::string out = '\n' + table(rows, "");
    if (left > 0)
        out += "and " + counted(left, "more destination") + ", " + std::to_string(left_waiting) +
               " waiting there: \"postern queue summary\" counts, \"postern status --json\" has them\n";
    return out;
}

std::string queue_line(const json& queue, base::Time now) {
    const auto number = [&](const char* key) { return queue.at(key).get<std::uint64_t>(); };
    std::string line =
        counted(number("messages"), "message") + ", " + readable_size(number("disk_bytes")) + " on disk";
    if (const auto oldest = when_field(queue, "oldest", now); !oldest.empty())
        line += "; the oldest is of " + oldest;
    if (number("held") > 0) line += "; " + std::to_string(number("held")) + " held";
    if (number("damaged") > 0) line += "; " + counted(number("damaged"), "damaged record") + " set aside";
    return line + '\n';
}

}  // namespace

std::string readable_size(std::uint64_t bytes) {
    if (bytes < 1024) return std::to_string(bytes) + " B";
    constexpr std::array<const char*, 5> units{"KiB", "MiB", "GiB", "TiB", "PiB"};
    double value = static_cast<double>(bytes) / 1024;
    std::size_t unit = 0;
    while (value >= 1024 && unit + 1 < units.size()) {
        value /= 1024;
        ++unit;
    }
    std::array<char, 32> buffer{};
    std::snprintf(buffer.data(), buffer.size(), "%.1f %s", value, units[unit]);
    return buffer.data();
}

std::string present_status(const json& status, base::Time now) {
    std::string out = "postern " + text_field(status, "version") + " on " + text_field(status, "hostname") +
                      ", started " + when_field(status, "started", now) + '\n';
    const bool ready = status.at("ready").get<bool>();
    out += ready ? "ready to take mail\n" : "NOT READY\n";
    for (const auto& reason : status.at("not_ready"))
        out += "  " + printable(base::with_local_times(reason.get_ref<const std::string&>())) + '\n';
    for (const auto& trouble : status.at("degraded"))
        out += "DEGRADED: " + printable(base::with_local_times(trouble.get_ref<const std::string&>())) + '\n';
    out += "\nqueue        " + queue_line(status.at("queue"), now);
    out += "open now     " + counted(status.at("sessions").get<std::uint64_t>(), "incoming session") + ", " +
           counted(status.at("connections").get<std::uint64_t>(), "outgoing connection") + '\n';
    const auto& since = status.at("since_start");
    out += "since start  " + counted(since.at("accepted").get<std::uint64_t>(), "message") +
           " accepted; recipients: " + number_field(since, "delivered") + " delivered, " +
           number_field(since, "deferred") + " deferred, " + number_field(since, "bounced") + " bounced; " +
           number_field(since, "refused") + " refused\n";
    out += '\n' + primaries(status.at("primaries"), now);
    return out + destinations(status.at("destinations"), now);
}

std::string present_directory(const json& directory, base::Time now) {
    std::string out = primaries(directory.at("primaries"), now);
    if (directory.at("domains").empty()) return out + "no domain is known yet\n";
    out += '\n' + domains(directory.at("domains"));
    for (const auto& claim : directory.value("claims", json::array()))
        out += text_field(claim, "domain") + " is claimed by two primaries: " + text_field(claim, "primary") +
               " counts, " + text_field(claim, "besides") + " does not\n";
    if (directory.at("more").get<bool>()) out += "there are more domains than can be shown\n";
    return out;
}

std::string present_directory_entry(const json& entry) {
    if (entry.contains("address")) {
        std::string out = text_field(entry, "address") + " is " + verdict_line(entry);
        if (const auto what = text_field(entry, "what"); !what.empty()) out += what + '\n';
        return out;
    }
    std::string out = text_field(entry, "domain") + " is " + verdict_line(entry);
    return entry.at("on").empty() ? out : out + '\n' + domains(entry.at("on"));
}

std::string present_explanation(const json& explanation, base::Time now) {
    std::string out =
        judged("sender     ", explanation.at("sender")) + judged("recipient  ", explanation.at("recipient"));
    const auto route = text_field(explanation, "route");
    if (route.empty()) return out;
    out += "route      " + route;
    if (const auto why = text_field(explanation, "route_why"); !why.empty()) out += " (" + why + ')';
    out += '\n';
    const char* label = "next hops  ";
    for (const auto& host : explanation.at("hosts")) {
        out += label + printable(host.get_ref<const std::string&>()) + '\n';
        label = "           ";
    }
    for (const auto& [name, key] : {std::pair("tls        ", "tls"), std::pair("leaves by  ", "egress"),
                                    std::pair("limits     ", "limits"), std::pair("volume     ", "volume"),
                                    std::pair("signed by  ", "dkim")})
        if (const auto value = text_field(explanation, key); !value.empty()) out += name + value + '\n';
    if (const auto trouble = text_field(explanation, "trouble"); !trouble.empty())
        out += "just now   it cannot be delivered there: " + trouble + "; next try " +
               when_field(explanation, "next_try", now) + '\n';
    return out;
}

}  // namespace postern::agent
