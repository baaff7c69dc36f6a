// The queue as text for people.
#include <algorithm>
#include <nlohmann/json.hpp>
#include <sstream>
#include <vector>

#include "agent/log/log_line.h"
#include "agent/status/present.h"
#include "agent/status/table.h"

namespace postern::agent {
namespace {

using nlohmann::json;

std::string recipient_line(const json& recipient, base::Time now) {
    std::string line = "    " + text_field(recipient, "address") + "  " + text_field(recipient, "state");
    const auto attempts = recipient.at("attempts").get<std::uint64_t>();
    if (attempts > 0) line += " after " + counted(attempts, "attempt");
    if (text_field(recipient, "state") == "waiting") line += ", next " + when_field(recipient, "next", now);
    if (const auto why = text_field(recipient, "why"); !why.empty()) line += ": " + why;
    line += "  [" + text_field(recipient, "route");
    return line + (recipient.at("pinned").get<bool>() ? ", by an operator]\n" : "]\n");
}

/// What the list has no room for.
std::string last_attempt(const json& recipient) {
    std::string lines;
    if (const auto egress = text_field(recipient, "egress"); !egress.empty())
        lines += "        left from  " + egress + '\n';
    if (const auto tls = text_field(recipient, "tls"); !tls.empty())
        lines += "        tls        " + tls + '\n';
    return lines;
}

/// How many more there are than are shown, as a line; "" for none.
std::string and_more(const json& summary, const char* key, const char* what) {
    const auto more = summary.at(key).get<std::uint64_t>();
    return more == 0 ? "" : "and " + counted(more, what) + ": raise --limit\n";
}

std::string destinations(const json& summary) {
    Row head{"DESTINATION", "MESSAGES"};
    for (const auto& age : summary.at("ages")) head.push_back(printable(age.get_ref<const std::string&>()));
    std::vector<Row> rows{head};
    for (const auto& each : summary.at("destinations")) {
        Row row{text_field(each, "route"), number_field(each, "messages")};
        for (const auto& count : each.at("by_age"))
            row.push_back(count == 0 ? "." : std::to_string(count.get<std::uint64_t>()));
        rows.push_back(std::move(row));
    }
    return table(rows, "") + and_more(summary, "more_destinations", "more destination");
}

std::string senders(const json& summary) {
    std::vector<Row> rows{{"MESSAGES", "SIZE", "SENDER"}};
    for (const auto& each : summary.at("senders"))
        rows.push_back({number_field(each, "messages"), readable_size(each.at("bytes").get<std::uint64_t>()),
                        '<' + text_field(each, "sender") + '>'});
    return table(rows, "") + and_more(summary, "more_senders", "more sender");
}

std::string reasons(const json& summary) {
    std::vector<Row> rows{{"RECIPIENTS", "WHY"}};
    for (const auto& each : summary.at("reasons"))
        rows.push_back({number_field(each, "recipients"), text_field(each, "reason")});
    return table(rows, "") + and_more(summary, "more_reasons", "more reason");
}

}  // namespace

std::string present_queue(const json& queue, base::Time now) {
    const auto& messages = queue.at("messages");
    if (messages.empty())
        return "no such message is in the queue; what has left it is in the log: journalctl -u postern\n";
    std::vector<Row> rows{{"ID", "ARRIVED", "SIZE", "SENDER"}};
    for (const auto& message : messages)
        rows.push_back({text_field(message, "id"), when_field(message, "arrived", now),
                        readable_size(message.at("size").get<std::uint64_t>()),
                        '<' + text_field(message, "from") + '>'});
    std::istringstream lines(table(rows, ""));
    std::string line, out;
    std::getline(lines, line);
    out = line + "\n    RECIPIENT  STATE, NEXT ATTEMPT: WHY  [ROUTE]\n";
    for (const auto& message : messages) {
        std::getline(lines, line);
        out += line + '\n';
        for (const auto& recipient : message.at("recipients")) out += recipient_line(recipient, now);
    }
    out += counted(messages.size(), "message");
    if (queue.at("more").get<bool>())
        out += " shown, there are more: raise --limit, go on with --offset, or narrow the choice";
    return out + '\n';
}

std::string present_summary(const json& summary, base::Time now) {
    const auto number = [&](const char* key) { return summary.at(key).get<std::uint64_t>(); };
    if (number("messages") == 0) return "no such message is in the queue\n";
    std::string out = counted(number("messages"), "message") + ", " +
                      counted(number("recipients"), "recipient") + ", " + readable_size(number("bytes")) +
                      "; the oldest is of " + when_field(summary, "oldest", now);
    if (number("held") > 0) out += "; " + counted(number("held"), "recipient") + " held";
    return out + "\n\n" + destinations(summary) + '\n' + senders(summary) + '\n' + reasons(summary);
}

std::string present_message(const json& message, base::Time now) {
    std::string out = "id       " + text_field(message, "id") + "\nfrom     <" + text_field(message, "from") +
                      ">\nclient   " + text_field(message, "client");
    if (const auto primary = text_field(message, "primary"); !primary.empty())
        out += " (primary " + primary + ')';
    if (const auto origin = text_field(message, "origin"); !origin.empty()) out += "\norigin   " + origin;
    for (const auto& [label, key] :
         {std::pair("\nsubject  ", "subject"), std::pair("\nmsg-id   ", "message_id")})
        if (message.contains(key)) out += label + text_field(message, key);
    out += "\nsize     " + readable_size(message.at("size").get<std::uint64_t>()) + "\narrived  " +
           when_field(message, "arrived", now) + "\nexpires  " + when_field(message, "expires", now) +
           "\nrecipients\n";
    for (const auto& recipient : message.at("recipients"))
        out += recipient_line(recipient, now) + last_attempt(recipient);
    return out;
}

std::string present_applied(const json& answer, const char* what) {
    const auto number = [&](const char* name) {
        return answer.contains(name) ? answer.at(name).get<std::uint64_t>() : 0;
    };
    const auto count = number("messages"), held = number("held"), delivering = number("delivering");
    if (count + held == 0)
        return "nothing to do: no such message is in the queue, or it is as wanted already\n";
    std::string out;
    if (count > 0) out += std::to_string(count) + (count == 1 ? " message " : " messages ") + what + '\n';
    if (delivering > 0)
        out += std::to_string(delivering) + " of them " + (delivering == 1 ? "is" : "are") +
               " being delivered just now: that holds only for what is not taken\n";
    if (held > 0)
        out += std::to_string(held) + (held == 1 ? " message is" : " messages are") + " held: release " +
               (held == 1 ? "it" : "them") + " with \"postern queue release\"\n";
    return out;
}

std::string present_header(const json& message) {
    std::string out;
    const auto header = message.value("header", std::string());
    for (std::size_t at = 0; at < header.size();) {
        const auto end = std::min(header.find("\r\n", at), header.size());
        out += printable(header.substr(at, end - at)) + '\n';
        at = end + 2;
    }
    return out;
}

}  // namespace postern::agent
