#include "agent/program/spool_check.h"

#include <sysexits.h>
#include <unistd.h>

#include <cstdio>
#include <nlohmann/json.hpp>
#include <optional>

#include "agent/command/client.h"
#include "agent/command/commands.h"
#include "agent/http/answer.h"
#include "agent/log/log_line.h"
#include "agent/machine/privileges.h"
#include "agent/settings/settings.h"
#include "agent/status/pages.h"
#include "agent/status/present.h"
#include "agent/status/table.h"
#include "relay/spool_check.h"
#include "sync/base/file.h"
#include "sync/base/file_fault.h"

namespace postern::agent {
namespace {

constexpr int something_is_wrong = 1;

std::string in_words(const relay::SpoolCheck& found) {
    std::string out = counted(found.segments, "segment") + " of the spool, " + readable_size(found.octets) +
                      ", " + counted(found.records, "record") + "; " + counted(found.messages, "message") +
                      " waiting, " + std::to_string(found.contents) + " with a file of its own\n";
    for (const auto& fault : found.faults) out += printable(fault) + '\n';
    for (const auto& remark : found.remarks) out += printable(remark) + '\n';
    return out + (found.faults.empty() ? "nothing is wrong\n" : counted(found.faults.size(), "fault") + '\n');
}

}  // namespace

int check_mail(const Command& command) {
    const auto reading = read_settings(command.config);
    if (reading.positions.empty() && !reading.faults.empty()) {
        std::fprintf(stderr, "%s\n", printable(reading.faults.front().line(command.config)).c_str());
        return EX_CONFIG;
    }
    const auto& relay = reading.settings.relay;
    // What the gateway's account may not read is no use to it, though root reads it.
    std::optional<ActingAs> acting;
    if (const auto& user = reading.settings.user; geteuid() == 0 && !user.empty() && user != "root")
        if (const auto account = find_account(user)) acting.emplace(*account);
    const auto found = relay::check_spool(relay.state_dir, relay.queue.volume_size);
    if (!found.trouble.empty()) {
        std::fprintf(stderr, "postern: %s\n", printable(found.trouble).c_str());
        return something_is_wrong;
    }
    if (command.json)
        std::fputs(dump({{"ok", found.faults.empty()},
                         {"segments", found.segments},
                         {"octets", found.octets},
                         {"records", found.records},
                         {"messages", found.messages},
                         {"contents", found.contents},
                         {"faults", found.faults},
                         {"remarks", found.remarks}})
                       .c_str(),
                   stdout);
    else
        std::fputs(in_words(found).c_str(), stdout);
    return found.faults.empty() ? EX_OK : something_is_wrong;
}

int list_damaged(const Command& command, const base::Clock& clock) {
    const auto reading = read_settings(command.config);
    const bool unread = reading.positions.empty() && !reading.faults.empty();
    if (unread || somebody_listens(reading.settings.socket())) return ask(command, clock);
    const auto& state_dir = reading.settings.relay.state_dir;
    auto page = relay::list_damaged(state_dir);
    if (access(state_dir.c_str(), F_OK) != 0)
        page.trouble = "cannot see " + base::file_fault(state_dir, base::last_error(), base::FileUse::read);
    if (!page.trouble.empty()) {
        std::fprintf(stderr, "postern: %s\n", printable(page.trouble).c_str());
        return EX_UNAVAILABLE;
    }
    const auto answer = set_aside_answer(page);
    std::fputs(
        command.json ? dump(answer).c_str() : command.endpoint->present(answer, {}, clock.wall()).c_str(),
        stdout);
    return EX_OK;
}

}  // namespace postern::agent
