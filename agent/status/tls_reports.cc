// What is counted for reports about TLS, and what has become of them.
#include <nlohmann/json.hpp>

#include "agent/limits.h"
#include "agent/status/pages.h"
#include "agent/status/present.h"
#include "agent/status/table.h"
#include "sync/base/ascii.h"
#include "sync/base/domain_name.h"
#include "sync/base/time_text.h"

namespace postern::agent {
namespace {

using nlohmann::json;

json view(const relay::TlsReportView& one) {
    return {{"domain", one.domain},           {"begin", base::iso_time(one.begin)},
            {"end", base::iso_time(one.end)}, {"successful", one.successful},
            {"failed", one.failed},           {"state", one.state},
            {"attempts", one.attempts},       {"due", base::iso_time(one.due)},
            {"trouble", one.trouble}};
}

Answer list(const Control& control, const Request& request) {
    json list = json::array();
    for (const auto& one :
         control.process.tls_reports(base::lower(parameter(request, "domain")), number(request, "limit")))
        list.push_back(view(one));
    return ok({{"reports", std::move(list)}});
}

Answer send(const Control& control, const Request& request) {
    const auto domain = base::lower(request.subject);
    if (!base::is_domain_name(domain)) return refusal(400, request.subject + " is not a domain");
    if (!control.process.send_tls_report(domain))
        return refusal(404, "no TLS sessions are counted for " + domain +
                                ": [tls_reports] send is false, or no mail went there since its last report");
    note(control, request, "TLS report of " + domain + " sent before its time");
    return ok({{"domain", domain}});
}

std::string present(const json& answer, base::Time now) {
    std::vector<Row> rows{{"DOMAIN", "SINCE", "SUCCESSFUL", "FAILED", "STATE", "DUE"}};
    std::string troubles;
    for (const auto& one : answer.at("reports")) {
        const auto state = text_field(one, "state");
        const auto time = [&](const char* name) {
            return base::relative_time(base::parse_iso_time(text_field(one, name)).value_or(now), now);
        };
        const bool over = state != "counted" && state != "waits" && state != "under way";
        rows.push_back({text_field(one, "domain"), time("begin"), number_field(one, "successful"),
                        number_field(one, "failed"), state, over ? "" : time("due")});
        if (const auto trouble = text_field(one, "trouble"); !trouble.empty())
            troubles += text_field(one, "domain") + ": " + trouble + '\n';
    }
    if (rows.size() == 1) return "nothing is counted; see [tls_reports] in the configuration file\n";
    return table(rows, "") + troubles;
}

std::string present_sent(const json& answer) {
    return "the report goes, if " + text_field(answer, "domain") +
           " asks for one: \"postern tls-reports\" and the log (tls-report) say what becomes of it\n";
}

}  // namespace

std::vector<Endpoint> tls_report_endpoints() {
    return {{.method = "GET",
             .path = "/v1/tls-reports",
             .words = "tls-reports list",
             .help = "TLS sessions by domain that are counted, and what has become of their reports",
             .parameters = {{.name = "domain", .value = "DOMAIN", .help = "of this one alone"},
                            {.name = "limit",
                             .value = "N",
                             .help = "at most so many",
                             .kind = Parameter::Kind::number,
                             .largest = limits::page,
                             .initial = "100"}},
             .handle = list,
             .present = shown_by(present)},
            {.method = "POST",
             .path = "/v1/tls-reports/DOMAIN/send",
             .words = "tls-reports send",
             .help = "report what is counted so far now, and not again",
             .access = Access::operators,
             .parameters = {{.name = "DOMAIN",
                             .value = "DOMAIN",
                             .help = "a recipient domain",
                             .place = Parameter::Place::path}},
             .handle = send,
             .present = shown_by(present_sent)}};
}

}  // namespace postern::agent
