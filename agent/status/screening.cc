// What went through the screening gateway, and what of it has not come back.
#include <nlohmann/json.hpp>

#include "agent/status/pages.h"
#include "agent/status/present.h"
#include "agent/status/table.h"
#include "agent/status/views.h"
#include "sync/base/time_text.h"

namespace postern::agent {
namespace {

using nlohmann::json;

Answer screening(const Control& control, const Request&) {
    const auto known = control.process.screening();
    json list = json::array();
    for (const auto& one : known.list)
        list.push_back({{"id", one.id},
                        {"from", one.sender},
                        {"recipients", one.recipients},
                        {"since", base::iso_time(one.since)}});
    return ok({{"gateway", known.gateway},
               {"went", known.went},
               {"came_back", known.back},
               {"away", known.away},
               {"missing", known.missing},
               {"came_again", known.again},
               {"given_up", known.given_up},
               {"list", std::move(list)}});
}

std::string present(const json& answer, base::Time now) {
    const auto gateway = text_field(answer, "gateway");
    if (gateway.empty()) return "nothing is screened: screening.gateway is empty\n";
    std::string out = "to " + gateway + ": " + number_field(answer, "went") + " messages went, " +
                      number_field(answer, "came_back") + " came back, " + number_field(answer, "away") +
                      " are there now\n";
    if (answer.at("came_again").get<std::uint64_t>() > 0)
        out += number_field(answer, "came_again") + " times one came back more often than it went\n";
    if (answer.at("given_up").get<std::uint64_t>() > 0)
        out += number_field(answer, "given_up") + " never came back\n";
    const auto& list = answer.at("list");
    if (list.empty()) return out + "none of them is overdue\n";
    out += number_field(answer, "missing") +
           " have not come back in time; ask the screening gateway for them:\n";
    std::vector<Row> rows{{"ID", "WENT", "RECIPIENTS", "FROM"}};
    for (const auto& one : list)
        rows.push_back(
            {text_field(one, "id"),
             base::relative_time(base::parse_iso_time(text_field(one, "since")).value_or(now), now),
             number_field(one, "recipients"), text_field(one, "from")});
    return out + table(rows, "");
}

}  // namespace

std::vector<Endpoint> screening_endpoints() {
    return {{.method = "GET",
             .path = "/v1/screening",
             .words = "screening",
             .help = "what the screening gateway has not given back",
             .handle = screening,
             .present = shown_by(present)}};
}

}  // namespace postern::agent
