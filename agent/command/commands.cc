#include "agent/command/commands.h"

#include <sysexits.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <nlohmann/json.hpp>

#include "agent/command/client.h"
#include "agent/log/log_line.h"
#include "agent/settings/settings.h"
#include "agent/status/endpoints.h"

namespace postern::agent {
namespace {

using nlohmann::json;

int fail(int code, const std::string& why) {
    std::fprintf(stderr, "postern: %s\n", printable(why).c_str());
    return code;
}

Call call_for(const Endpoint& endpoint, const std::string& subject, const Parameters& asked) {
    Call call{std::string(endpoint.method), endpoint.path_of(subject), asked};
    for (const auto& each : endpoint.parameters)
        if (each.place == Parameter::Place::text_only) call.parameters.erase(std::string(each.name));
    return call;
}

int refused(const Endpoint& endpoint, const Received& received) {
    const auto body = json::parse(received.body, nullptr, false);
    const bool worded = body.is_object() && body.contains("error") && body["error"].is_string();
    fail(0, worded ? body["error"].get<std::string>()
                   : "the gateway answered with HTTP status " + std::to_string(received.status));
    if (body.is_object() && body.contains("faults"))
        for (const auto& fault : body["faults"])
            if (fault.is_string()) std::fprintf(stderr, "%s\n", printable(fault.get<std::string>()).c_str());
    switch (received.status) {
        case 400: return EX_USAGE;
        case 401:
        case 403: return EX_NOPERM;
        case 404: return endpoint.absent;
        case 422: return EX_DATAERR;
        case 409: return body.is_object() && body.contains("faults") ? EX_CONFIG : EX_DATAERR;
        case 503: return EX_TEMPFAIL;
        default: return EX_SOFTWARE;
    }
}

/// `hints` stand behind the news that nobody answers.
int ask_once(const Command& command, const std::filesystem::path& socket, const std::string& subject,
             const std::string& hints, const base::Clock& clock) {
    const auto& endpoint = *command.endpoint;
    const auto asked = command.asked(subject);
    const auto received = agent::call(socket, call_for(endpoint, subject, asked), clock);
    if (!received) return fail(EX_UNAVAILABLE, received.error() + hints);
    if (received->status != 200) return refused(endpoint, *received);
    try {
        const auto answer = json::parse(received->body, nullptr, false);
        std::fputs(
            command.json ? received->body.c_str() : endpoint.present(answer, asked, clock.wall()).c_str(),
            stdout);
        return endpoint.exit_code == nullptr ? EX_OK : endpoint.exit_code(answer, asked);
    } catch (const json::exception& error) {
        return fail(
            EX_SOFTWARE,
            std::string("the gateway's answer is not understood; is it of another version? ") + error.what());
    }
}

/// What to know when nobody answers.
std::string unanswered(const Endpoint& endpoint) {
    for (const auto& group : command_groups())
        if (endpoint.words.starts_with(group.name) && !group.unanswered.empty())
            return ". " + std::string(group.unanswered);
    return {};
}

}  // namespace

int ask(const Command& command, const base::Clock& clock) {
    // Faults elsewhere in the file must not keep anybody from looking at the running gateway.
    auto reading = read_settings(command.config);
    std::string hints = unanswered(*command.endpoint);
    if (reading.positions.empty() && !reading.faults.empty()) {
        // Who may not read the file may still look, where the gateway is the one that was installed.
        if (access(command.config.c_str(), R_OK) == 0 || errno != EACCES)
            return fail(EX_CONFIG, reading.faults.front().line(command.config));
        reading.settings = Settings();
        reading.settings.relay.state_dir = default_state_dir;
        hints +=
            ". " + command.config.string() +
            " is not for this account to read, so the gateway was looked for at the usual place: sudo helps";
    }
    const auto subjects = command.subjects.empty() ? std::vector<std::string>{""} : command.subjects;
    int worst = EX_OK;
    for (const auto& subject : subjects)
        if (const int code = ask_once(command, reading.settings.socket(), subject, hints, clock);
            code != EX_OK)
            worst = code;
    return worst;
}

}  // namespace postern::agent
