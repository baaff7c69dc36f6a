// The changed configuration file is taken.
#include <nlohmann/json.hpp>

#include "agent/log/log_line.h"
#include "agent/status/pages.h"

namespace postern::agent {
namespace {

using nlohmann::json;

Answer reload(const Control& control, const Request& request) {
    const auto [faults, after_restart_only] = control.process.reload();
    if (!faults.empty())
        return {409, dump({{"error", "the file has faults; the settings in force stay"}, {"faults", faults}}),
                "application/json", ""};
    note(control, request, "configuration file read again");
    return ok({{"reloaded", true}, {"after_restart_only", after_restart_only}});
}

std::string present(const json& answer) {
    std::string later;
    for (const auto& key : answer.at("after_restart_only"))
        later.append(later.empty() ? "" : ", ").append(key.get_ref<const std::string&>());
    if (later.empty()) return "the configuration file is in force\n";
    return "the configuration file is in force, except for what only a restart can change: " +
           printable(later) + '\n';
}

}  // namespace

std::vector<Endpoint> reload_endpoints() {
    return {{.method = "POST",
             .path = "/v1/reload",
             .words = "reload",
             .help = "take the changed configuration file",
             .access = Access::operators,
             .handle = reload,
             .present = shown_by(present)}};
}

}  // namespace postern::agent
