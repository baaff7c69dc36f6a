#include "relay/mail/trace.h"

#include <algorithm>

#include "sync/base/ascii.h"
#include "sync/base/ip_address.h"
#include "sync/base/time_text.h"

namespace postern::relay {

std::string received_field(const Hop& hop, MessageId id, Time now) {
    std::string out = "Received: from ";
    out += hop.helo;
    bool v6 = base::is_v6_literal(hop.client);
    out += v6 ? " ([IPv6:" : " ([";
    out += hop.client;
    out += "])\r\n";
    if (!hop.tls.empty()) {
        out += "\t(using ";
        out += hop.tls;
        out += ")\r\n";
    }
    out += "\tby ";
    out += hop.hostname;
    out += " with ";
    out += hop.with;
    out += " id ";
    out += id.text();
    if (!hop.recipient.empty()) {
        out += "\r\n\tfor <";
        out += hop.recipient;
        out += '>';
    }
    out += ";\r\n\t";
    out += base::date_time(now);
    out += "\r\n";
    return out;
}

std::string_view header_of(std::string_view content) {
    // A header cannot begin with a blank: that is a body without one.
    if (content.starts_with("\r\n") || content.starts_with(' ') || content.starts_with('\t')) return {};
    std::size_t end = content.find("\r\n\r\n");
    return end == std::string_view::npos ? content : content.substr(0, end + 2);
}

std::size_t count_received(std::string_view content) {
    constexpr std::string_view name = "received:";
    std::size_t count = 0;
    for (std::size_t at = 0; at < content.size();) {
        std::size_t end = content.find("\r\n", at);
        if (end == at) break;
        if (end == std::string_view::npos) end = content.size();
        std::string_view line = content.substr(at, end - at);
        if (base::equal_ignoring_case(line.substr(0, name.size()), name)) ++count;
        at = end + 2;
    }
    return count;
}

/// Calls `visit` with the value of each field of that name (lower case, with its colon), unfolded, until it
/// says true.
template <typename Visit>
static bool find_field(std::string_view content, std::string_view name, Visit visit) {
    for (std::size_t at = 0; at < content.size();) {
        std::size_t end = std::min(content.find("\r\n", at), content.size());
        std::string_view line = content.substr(at, end - at);
        if (line.empty()) break;
        at = end + 2;
        if ((line[0] | 0x20) != name[0] || !base::equal_ignoring_case(line.substr(0, name.size()), name))
            continue;
        std::string value(line.substr(name.size()));
        while (at < content.size() && (content[at] == ' ' || content[at] == '\t')) {  // folded
            end = std::min(content.find("\r\n", at), content.size());
            value += content.substr(at, end - at);
            at = end + 2;
        }
        value.erase(value.find_last_not_of(" \t") + 1);
        value.erase(0, value.find_first_not_of(" \t"));
        if (visit(value)) return true;
    }
    return false;
}

std::optional<std::string> value_of(std::string_view content, std::string_view name) {
    std::optional<std::string> found;
    find_field(content, name, [&found](const std::string& value) {
        found = value;
        return true;
    });
    return found;
}

std::size_t strip_fields(std::string& content, std::string_view name) {
    std::size_t from = 0, to = 0;  // what is kept so far, and where it lies
    const auto line_end = [&](std::size_t at) { return std::min(content.find("\r\n", at), content.size()); };
    while (from < content.size()) {
        std::size_t end = line_end(from);
        if (end == from) break;
        const bool meant =
            base::equal_ignoring_case(std::string_view(content).substr(from, name.size()), name);
        end = std::min(end + 2, content.size());
        while (meant && end < content.size() && (content[end] == ' ' || content[end] == '\t'))
            end = std::min(line_end(end) + 2, content.size());
        if (!meant) {
            std::copy(content.data() + from, content.data() + end, content.data() + to);
            to += end - from;
        }
        from = end;
    }
    content.erase(to, from - to);
    return from - to;
}

static std::string first_of(std::string_view content, std::string_view name) {
    constexpr std::size_t longest = 250;  // RFC 5322 has no limit, and a log line does
    std::string found;
    find_field(content, name, [&found](const std::string& value) {
        found = value.substr(0, longest);
        return true;
    });
    return found;
}

std::string message_id_of(std::string_view content) { return first_of(content, "message-id:"); }

std::string subject_of(std::string_view content) { return first_of(content, "subject:"); }

bool says_tls_optional(std::string_view content) {
    return find_field(content, "tls-required:", [](const std::string& value) {
        return base::equal_ignoring_case(value, "no");
    });
}

}  // namespace postern::relay
