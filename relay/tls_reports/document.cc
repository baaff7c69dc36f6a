#include "relay/tls_reports/document.h"

#include <zlib.h>

#include <array>
#include <cstdio>

#include "sync/base/ensure.h"
#include "sync/base/time_text.h"
#include "sync/base/utf8.h"

namespace postern::relay {

namespace {

using std::chrono::seconds;

std::int64_t epoch(Time time) { return std::chrono::floor<seconds>(time).time_since_epoch().count(); }

/// A day's last second, as the RFC has it: 23:59:59.
Time last_second(const TlsPeriod& period) {
    return std::max<Time>(period.begin, std::chrono::ceil<seconds>(period.end) - seconds(1));
}

std::string time_of(Time time) {
    std::string out = base::iso_time(std::chrono::floor<seconds>(time));
    if (const std::size_t dot = out.find('.'); dot != std::string::npos) out.replace(dot, 4, "");
    return out;
}

/// What a text is in JSON; what is no UTF-8 in it is replaced.
std::string json(std::string_view text) {
    std::string out = "\"";
    while (!text.empty()) {
        const std::string_view before = text;
        const auto character = base::take_character(text);
        if (!character) {
            text.remove_prefix(1);
            out += '?';
            continue;
        }
        const std::string_view one = before.substr(0, before.size() - text.size());
        if (*character == '"' || *character == '\\') {
            out += '\\';
            out += one;
        } else if (*character < 0x20) {
            std::array<char, 7> escape{};
            std::snprintf(escape.data(), escape.size(), "\\u%04x", static_cast<unsigned>(*character));
            out += escape.data();
        } else {
            out += one;
        }
    }
    return out + '"';
}

std::string json(const std::vector<std::string>& list) {
    std::string out;
    for (const auto& one : list) out += (out.empty() ? "" : ",") + json(one);
    return '[' + out + ']';
}

std::string member(std::string_view name, const std::string& value) { return json(name) + ':' + value; }

std::string policy_json(const ReportedPolicy& policy) {
    std::string out = '{' + member("policy-type", json(text_of(policy.kind)));
    if (policy.kind != ReportedPolicy::Kind::none) out += ',' + member("policy-string", json(policy.lines));
    out += ',' + member("policy-domain", json(policy.domain));
    if (policy.kind == ReportedPolicy::Kind::sts) out += ',' + member("mx-host", json(policy.hosts));
    return out + '}';
}

std::string failure_json(const TlsFailures& one) {
    std::string out = '{' + member("result-type", json(text_of(one.result)));
    const auto add = [&out](std::string_view name, const std::string& value) {
        if (!value.empty()) out += ',' + member(name, json(value));
    };
    add("sending-mta-ip", one.sending);
    add("receiving-mx-hostname", one.host);
    add("receiving-mx-helo", one.helo);
    add("receiving-ip", one.receiving);
    out += ',' + member("failed-session-count", std::to_string(one.sessions));
    add("failure-reason-code", one.reason);
    return out + '}';
}

std::string sessions_json(const PolicySessions& one) {
    std::string out = '{' + member("policy", policy_json(one.policy)) + ',';
    out +=
        member("summary", '{' + member("total-successful-session-count", std::to_string(one.successful)) +
                              ',' + member("total-failure-session-count", std::to_string(one.failed)) + '}');
    std::string failures;
    for (const auto& failure : one.failures)
        failures += (failures.empty() ? "" : ",") + failure_json(failure);
    if (!failures.empty()) out += ',' + member("failure-details", '[' + failures + ']');
    return out + '}';
}

}  // namespace

std::string report_id(const std::string& domain, const TlsPeriod& period, const ReportSender& sender) {
    return std::to_string(epoch(period.begin)) + '-' + std::to_string(epoch(last_second(period))) + '.' +
           domain + '@' + sender.domain;
}

std::string report_json(const std::string& domain, const TlsPeriod& period, const ReportSender& sender) {
    std::string policies;
    for (const auto& one : period.policies) policies += (policies.empty() ? "" : ",") + sessions_json(one);
    return '{' + member("organization-name", json(sender.organization)) + ',' +
           member("date-range", '{' + member("start-datetime", json(time_of(period.begin))) + ',' +
                                    member("end-datetime", json(time_of(last_second(period)))) + '}') +
           ',' + member("contact-info", json(sender.contact)) + ',' +
           member("report-id", json(report_id(domain, period, sender))) + ',' +
           member("policies", '[' + policies + ']') + '}';
}

std::string report_file_name(const std::string& domain, const TlsPeriod& period, const ReportSender& sender) {
    return sender.domain + '!' + domain + '!' + std::to_string(epoch(period.begin)) + '!' +
           std::to_string(epoch(last_second(period))) + ".json.gz";
}

std::string gzip(std::string_view octets) {
    z_stream stream{};
    // 15 bits of window, and a gzip header.
    ENSURE(deflateInit2(&stream, Z_DEFAULT_COMPRESSION, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY) == Z_OK,
           "zlib can be used");
    std::string out(deflateBound(&stream, octets.size()), '\0');
    stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(octets.data()));
    stream.avail_in = static_cast<uInt>(octets.size());
    stream.next_out = reinterpret_cast<Bytef*>(out.data());
    stream.avail_out = static_cast<uInt>(out.size());
    const int result = deflate(&stream, Z_FINISH);
    deflateEnd(&stream);
    ENSURE(result == Z_STREAM_END, "there was room for all of it");
    out.resize(stream.total_out);
    return out;
}

}  // namespace postern::relay
