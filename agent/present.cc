#include "agent/present.h"

#include <algorithm>
#include <array>
#include <cstdio>
#include <nlohmann/json.hpp>
#include <vector>

#include "agent/log_line.h"
#include "agent/quantity.h"

namespace postern::agent {
namespace {

using nlohmann::json;

std::string text(const json& object, const char* key) {
    const auto& value = object.at(key);
    return value.is_null() ? std::string() : printable(value.get_ref<const std::string&>());
}

std::string number(const json& object, const char* key) {
    return std::to_string(object.at(key).get<std::uint64_t>());
}

std::string or_else(const std::string& value, const char* otherwise) {
    return value.empty() ? otherwise : value;
}

std::string joined(const std::string& one, const std::string& other) {
    return one.empty() || other.empty() ? one + other : one + "; " + other;
}

std::string counted(std::uint64_t count, const char* noun) {
    return std::to_string(count) + ' ' + noun + (count == 1 ? "" : "s");
}

/// "2026-01-31T12:00:00.123Z" as "2026-01-31 12:00:00Z".
std::string moment(const json& object, const char* key) {
    auto value = text(object, key);
    if (value.size() < 20) return value;
    value[10] = ' ';
    return value.substr(0, 19) + 'Z';
}

using Row = std::vector<std::string>;

/// Columns as wide as their widest cell, two spaces apart, the last one ragged.
std::string table(const std::vector<Row>& rows, const std::string& indent) {
    std::vector<std::size_t> widths;
    for (const auto& row : rows) {
        widths.resize(std::max(widths.size(), row.size()));
        for (std::size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], row[i].size());
    }
    std::string result;
    for (const auto& row : rows) {
        std::string line = indent;
        for (std::size_t i = 0; i < row.size(); ++i)
            line.append(row[i]).append(widths[i] - row[i].size() + 2, ' ');
        result.append(line, 0, line.find_last_not_of(' ') + 1).append("\n");
    }
    return result;
}

std::string suspicions(const json& object) {
    std::string notes;
    for (const auto& held : object.value("suspicions", json::array()))
        notes += (notes.empty() ? "" : "; ") + text(held, "what") + " held back since " +
                 moment(held, "since") + ": " + number(held, "now") + " instead of " + number(held, "before");
    return notes;
}

Row primary_row(const json& primary) {
    std::string state = or_else(moment(primary, "last_success"), "not read since the start");
    if (!primary.at("credentials_refused_since").is_null())
        state = "CREDENTIALS REFUSED since " + moment(primary, "credentials_refused_since");
    if (primary.at("polling").get<bool>()) state += " (reading now)";
    return {text(primary, "name"), text(primary, "url"), state, moment(primary, "next_round"),
            joined(text(primary, "error"), suspicions(primary))};
}

std::string primaries(const json& list) {
    if (list.empty()) return "no primary has a directory (no url is set)\n";
    std::vector<Row> rows{{"PRIMARY", "URL", "READ", "NEXT", "TROUBLE"}};
    for (const auto& primary : list) rows.push_back(primary_row(primary));
    return table(rows, "");
}

std::string recipient_line(const json& recipient) {
    std::string line = "    " + text(recipient, "address") + "  " + text(recipient, "state");
    const auto attempts = recipient.at("attempts").get<std::uint64_t>();
    if (attempts > 0) line += " after " + counted(attempts, "attempt");
    if (text(recipient, "state") == "waiting") line += ", next " + moment(recipient, "next");
    if (const auto why = text(recipient, "why"); !why.empty()) line += ": " + why;
    return line + "  [" + text(recipient, "route") + "]\n";
}

std::string verdict_line(const json& entry) {
    std::string line = text(entry, "verdict") + ": " + text(entry, "reason");
    const auto primary = text(entry, "primary");
    if (!primary.empty()) line += ", primary " + primary;
    const auto age = entry.at("age_seconds").get<std::int64_t>();
    if (age > 0) line += ", read " + format_duration(std::chrono::seconds(age)) + " ago";
    return line + '\n';
}

Row domain_row(const json& domain) {
    std::string state = domain.at("enabled").get<bool>() ? "" : "disabled";
    if (const auto error = text(domain, "error"); !error.empty())
        state = joined(state, error + " (" + moment(domain, "error_at") + ')');
    state = joined(state, suspicions(domain));
    return {text(domain, "name"),
            text(domain, "primary"),
            number(domain, "users"),
            number(domain, "aliases"),
            number(domain, "lists"),
            or_else(text(domain, "catch_all"), "-"),
            or_else(moment(domain, "read"), "not yet"),
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
    std::string line = std::string(who) + (taken ? "accepted" : "refused: " + text(reply, "line"));
    if (const auto why = text(side, "why"); !why.empty()) line += " (" + why + ')';
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

std::string present_status(const json& status) {
    std::string out = "postern " + text(status, "version") + " on " + text(status, "hostname") +
                      ", started " + moment(status, "started") + '\n';
    const bool ready = status.at("ready").get<bool>();
    out += ready ? "ready to take mail\n" : "NOT READY\n";
    for (const auto& reason : status.at("not_ready"))
        out += "  " + printable(reason.get_ref<const std::string&>()) + '\n';
    const auto& queue = status.at("queue");
    const auto damaged = queue.at("damaged").get<std::uint64_t>();
    out += "\nqueue        " + counted(queue.at("messages").get<std::uint64_t>(), "message") + ", " +
           readable_size(queue.at("disk_bytes").get<std::uint64_t>()) + " on disk" +
           (damaged > 0 ? ", " + counted(damaged, "damaged record") + " set aside" : "") + '\n';
    out += "open now     " + counted(status.at("sessions").get<std::uint64_t>(), "incoming session") + ", " +
           counted(status.at("connections").get<std::uint64_t>(), "outgoing connection") + '\n';
    const auto& since = status.at("since_start");
    out += "since start  " + number(since, "accepted") +
           " messages accepted; recipients: " + number(since, "delivered") + " delivered, " +
           number(since, "deferred") + " deferred, " + number(since, "bounced") + " bounced; " +
           number(since, "refused") + " refused\n";
    out += '\n' + primaries(status.at("primaries"));
    const auto& destinations = status.at("destinations");
    if (destinations.empty()) return out;
    std::vector<Row> rows{{"DESTINATION", "READY", "DELIVERING", "WAITING", "CONNECTIONS", "TROUBLE"}};
    for (const auto& each : destinations) {
        auto trouble = text(each, "trouble");
        if (!trouble.empty()) trouble += "; next try " + moment(each, "next_try");
        rows.push_back({text(each, "route"), number(each, "ready"), number(each, "delivering"),
                        number(each, "waiting"), number(each, "connections"), trouble});
    }
    return out + '\n' + table(rows, "");
}

std::string present_queue(const json& queue) {
    const auto& messages = queue.at("messages");
    if (messages.empty()) return "no such message is in the queue\n";
    std::string out;
    for (const auto& message : messages) {
        out += text(message, "id") + "  " + moment(message, "arrived") + "  " +
               readable_size(message.at("size").get<std::uint64_t>()) + "  from <" + text(message, "from") +
               ">\n";
        for (const auto& recipient : message.at("recipients")) out += recipient_line(recipient);
    }
    out += counted(messages.size(), "message");
    if (queue.at("more").get<bool>()) out += " shown, there are more: raise --limit or narrow the choice";
    return out + '\n';
}

std::string present_message(const json& message) {
    std::string out = "id       " + text(message, "id") + "\nfrom     <" + text(message, "from") +
                      ">\nclient   " + text(message, "client");
    if (const auto primary = text(message, "primary"); !primary.empty()) out += " (primary " + primary + ')';
    out += "\nsize     " + readable_size(message.at("size").get<std::uint64_t>()) + "\narrived  " +
           moment(message, "arrived") + "\nexpires  " + moment(message, "expires") + "\nrecipients\n";
    for (const auto& recipient : message.at("recipients")) out += recipient_line(recipient);
    return out;
}

std::string present_directory(const json& directory) {
    std::string out = primaries(directory.at("primaries"));
    if (directory.at("domains").empty()) return out + "no domain is known yet\n";
    out += '\n' + domains(directory.at("domains"));
    for (const auto& claim : directory.value("claims", json::array()))
        out += text(claim, "domain") + " is claimed by two primaries: " + text(claim, "primary") +
               " counts, " + text(claim, "besides") + " does not\n";
    if (directory.at("more").get<bool>()) out += "there are more domains than can be shown\n";
    return out;
}

std::string present_directory_entry(const json& entry) {
    if (entry.contains("address")) {
        std::string out = text(entry, "address") + " is " + verdict_line(entry);
        if (const auto what = text(entry, "what"); !what.empty()) out += what + '\n';
        return out;
    }
    std::string out = text(entry, "domain") + " is " + verdict_line(entry);
    return entry.at("on").empty() ? out : out + '\n' + domains(entry.at("on"));
}

std::string present_explanation(const json& explanation) {
    std::string out =
        judged("sender     ", explanation.at("sender")) + judged("recipient  ", explanation.at("recipient"));
    const auto route = text(explanation, "route");
    if (route.empty()) return out;
    out += "route      " + route;
    if (const auto why = text(explanation, "route_why"); !why.empty()) out += " (" + why + ')';
    out += '\n';
    const char* label = "next hops  ";
    for (const auto& host : explanation.at("hosts")) {
        out += label + printable(host.get_ref<const std::string&>()) + '\n';
        label = "           ";
    }
    if (const auto tls = text(explanation, "tls"); !tls.empty()) out += "tls        " + tls + '\n';
    return out;
}

}  // namespace postern::agent
