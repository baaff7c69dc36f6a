// What was set aside as damaged, over the status endpoint.
#include <sysexits.h>

#include <nlohmann/json.hpp>

#include "agent/log/log_line.h"
#include "agent/status/pages.h"
#include "agent/status/present.h"
#include "agent/status/table.h"
#include "agent/status/views.h"

namespace postern::agent {
namespace {

using nlohmann::json;

json view_of(const relay::SetAsideView& file) {
    return {{"file", file.file},
            {"size", file.size},
            {"what", file.what},
            {"from", file.from},
            {"to", file.to},
            {"arrived", view(file.arrived)},
            {"restorable", file.restorable}};
}

Answer list(const Control& control, const Request&) {
    const auto page = control.queue.set_aside();
    return page.trouble.empty() ? ok(set_aside_answer(page)) : refusal(503, page.trouble);
}

Answer restore(const Control& control, const Request& request) {
    using Result = relay::Restored::Result;
    const auto done = control.queue.restore(request.subject);
    switch (done.result) {
        case Result::done: break;
        case Result::absent: return refusal(404, done.why);
        case Result::useless: return refusal(422, done.why);
        case Result::put_off: return refusal(503, done.why);
    }
    note(control, request, "spool restore: " + request.subject + " as " + done.id, 1);
    return ok({{"file", request.subject},
               {"id", done.id},
               {"from", done.from},
               {"to", done.to},
               {"whole", done.whole},
               {"remark", done.why}});
}

/// "a@example.com and 2 more".
std::string recipients(const json& to) {
    if (to.empty()) return {};
    std::string out = '<' + printable(to.front().get<std::string>()) + '>';
    if (to.size() > 1) out += " and " + std::to_string(to.size() - 1) + " more";
    return out;
}

std::string present_list(const json& answer, base::Time now) {
    const auto& files = answer.at("files");
    if (files.empty()) return "nothing was set aside\n";
    std::vector<Row> rows{{"FILE", "SIZE", "WHAT"}};
    for (const auto& file : files) {
        std::string what = text_field(file, "what");
        if (file.at("restorable").get<bool>())
            what += ", from <" + text_field(file, "from") + "> to " + recipients(file.at("to")) + ", of " +
                    when_field(file, "arrived", now);
        rows.push_back({text_field(file, "file"), readable_size(file.at("size").get<std::uint64_t>()), what});
    }
    return table(rows, "") + (answer.at("more").get<bool>() ? "there are more\n" : "");
}

std::string present_restored(const json& answer) {
    std::string out = text_field(answer, "file") + " is in the queue again as " + text_field(answer, "id") +
                      ", from <" + text_field(answer, "from") + "> to " + recipients(answer.at("to")) + '\n';
    if (!answer.at("whole").get<bool>()) out += "its content is damaged, and goes out as it is\n";
    if (const auto remark = text_field(answer, "remark"); !remark.empty()) out += remark + '\n';
    return out;
}

}  // namespace

json set_aside_answer(const relay::SetAsidePage& page) {
    json files = json::array();
    for (const auto& file : page.files) files.push_back(view_of(file));
    return {{"files", std::move(files)}, {"more", page.more}};
}

std::vector<Endpoint> spool_endpoints() {
    return {{.method = "GET",
             .path = "/v1/spool/damaged",
             .words = "spool list-damaged",
             .help = "what was set aside as damaged, and whose mail it is",
             .handle = list,
             .present = shown_by(present_list)},
            {.method = "POST",
             .path = "/v1/spool/damaged/FILE/restore",
             .words = "spool restore",
             .help = "take a message of that again, its content as it is",
             .access = Access::operators,
             .parameters = {{.name = "FILE",
                             .value = "FILE",
                             .help = "as listed: ID.message",
                             .place = Parameter::Place::path}},
             .handle = restore,
             .present = shown_by(present_restored),
             .absent = EX_DATAERR}};
}

}  // namespace postern::agent
