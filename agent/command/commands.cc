#include "agent/command/commands.h"

#include <sysexits.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <nlohmann/json.hpp>

#include "agent/command/client.h"
#include "agent/log/log_line.h"
#include "agent/settings/settings.h"
#include "agent/status/present.h"

namespace postern::agent {
namespace {

using nlohmann::json;

int fail(int code, const std::string& why) {
    std::fprintf(stderr, "postern: %s\n", printable(why).c_str());
    return code;
}

/// For one of the messages that were named, or "".
Call call_for(const Command& command, const std::string& id) {
    Call call;
    const auto parameter = [&call](const char* name, const std::string& value) {
        if (!value.empty()) call.parameters.emplace(name, value);
    };
    const auto choice = [&](const char* method, const char* path) {
        call.method = method;
        call.path = path;
        parameter("id", id);
        if (command.filter.held) parameter("held", "true");
        parameter("sender", command.filter.sender);
        parameter("recipient", command.filter.recipient);
        parameter("older", command.older);
        parameter("route", command.filter.route);
        parameter("gateway", command.gateway);
        if (command.all) parameter("all", "true");
    };
    const auto path = [&](const char* method, std::string text) {
        call.method = method;
        call.path = std::move(text);
    };
    switch (command.verb) {
        case Verb::status: path("GET", "/v1/status"); break;
        case Verb::queue_list:
            choice("GET", "/v1/queue");
            parameter("limit", std::to_string(command.limit));
            if (command.offset > 0) parameter("offset", std::to_string(command.offset));
            parameter("sort", command.sort);
            break;
        case Verb::queue_summary:
            choice("GET", "/v1/queue/summary");
            parameter("limit", std::to_string(command.rows));
            break;
        case Verb::queue_show: path("GET", "/v1/messages/" + id); break;
        case Verb::queue_retry: choice("POST", "/v1/queue/retry"); break;
        case Verb::queue_delete: choice("DELETE", "/v1/queue"); break;
        case Verb::queue_hold: choice("POST", "/v1/queue/hold"); break;
        case Verb::queue_release: choice("POST", "/v1/queue/release"); break;
        case Verb::queue_bounce:
            choice("POST", "/v1/queue/bounce");
            parameter("reason", command.reason);
            break;
        case Verb::queue_move:
            choice("POST", "/v1/queue/move");
            if (command.rules) parameter("rules", "true");
            break;
        case Verb::gateways: path("GET", "/v1/gateways"); break;
        case Verb::gateway_enable: path("POST", "/v1/gateways/" + command.subject + "/enable"); break;
        case Verb::gateway_disable: path("POST", "/v1/gateways/" + command.subject + "/disable"); break;
        case Verb::routes: path("GET", "/v1/routes"); break;
        case Verb::route_set: choice("POST", "/v1/routes"); break;
        case Verb::route_unset: choice("DELETE", "/v1/routes"); break;
        case Verb::egress: path("GET", "/v1/egress"); break;
        case Verb::egress_suspend: path("POST", "/v1/egress/" + command.subject + "/suspend"); break;
        case Verb::egress_resume: path("POST", "/v1/egress/" + command.subject + "/resume"); break;
        case Verb::egress_forget:
            path("POST", "/v1/egress/" + command.subject + "/forget");
            parameter("site", command.site);
            break;
        case Verb::directory:
            path("GET", command.subject.empty() ? "/v1/directory" : "/v1/directory/" + command.subject);
            break;
        case Verb::explain:
            path("GET", "/v1/explain");
            parameter("from", command.from == "<>" ? "" : command.from);
            parameter("to", command.to);
            parameter("client", command.client);
            break;
        case Verb::forget:
            path("POST", "/v1/directory/forget");
            parameter("address", command.subject);
            break;
        case Verb::sync:
            path("POST", "/v1/sync");
            if (command.accept) parameter("accept", "true");
            break;
        case Verb::reload: path("POST", "/v1/reload"); break;
        case Verb::run:
        case Verb::check:
        case Verb::config_defaults:
        case Verb::config_markdown:
        case Verb::config_rules: break;
    }
    return call;
}

std::string messages(const json& answer, const char* what) {
    const auto number = [&](const char* name) {
        return answer.contains(name) ? answer.at(name).get<std::uint64_t>() : 0;
    };
    const auto count = number("messages"), held = number("held"), delivering = number("delivering");
    if (count + held == 0) return "no such message is in the queue\n";
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

std::string present_reload(const json& answer) {
    std::string later;
    for (const auto& key : answer.at("after_restart_only"))
        later.append(later.empty() ? "" : ", ").append(key.get_ref<const std::string&>());
    if (later.empty()) return "the configuration file is in force\n";
    return "the configuration file is in force, except for what only a restart can change: " +
           printable(later) + '\n';
}

std::string present(const Command& command, const json& answer) {
    switch (command.verb) {
        case Verb::status: return present_status(answer);
        case Verb::queue_list: return present_queue(answer);
        case Verb::queue_summary: return present_summary(answer);
        case Verb::queue_show:
            return present_message(answer) + (command.header ? "\n" + present_header(answer) : "");
        case Verb::queue_retry: return messages(answer, "will be tried now");
        case Verb::queue_delete: return messages(answer, "deleted");
        case Verb::queue_hold: return messages(answer, "held until released");
        case Verb::queue_release: return messages(answer, "released, to be tried now");
        case Verb::queue_bounce: return messages(answer, "given up; the sender is told");
        case Verb::queue_move: return messages(answer, "will go the other way");
        case Verb::gateways: return present_gateways(answer);
        case Verb::gateway_enable: return "mail goes through this gateway again\n";
        case Verb::gateway_disable:
            return "no more mail goes through this gateway; what waits for it moves\n";
        case Verb::routes: return present_routes(answer);
        case Verb::route_set: return "the route is in force, and kept until it is unset\n";
        case Verb::route_unset: return "the route is gone\n";
        case Verb::egress: return present_egress(answer);
        case Verb::egress_suspend: return "no more mail leaves from this address\n";
        case Verb::egress_resume: return "mail may leave from this address again\n";
        case Verb::egress_forget:
            return answer.at("forgotten").get<bool>() ? "forgotten; the address is used there again\n"
                                                      : "nothing was known against it there\n";
        case Verb::directory:
            return answer.contains("primaries") ? present_directory(answer) : present_directory_entry(answer);
        case Verb::explain: return present_explanation(answer);
        case Verb::forget:
            return answer.at("forgotten").get<bool>() ? "forgotten; it is asked for again when it is needed\n"
                                                      : "nothing to forget: it was not asked for by itself\n";
        case Verb::sync:
            return "reading the primaries' directories now; \"postern status\" shows how it went\n";
        case Verb::reload: return present_reload(answer);
        case Verb::run:
        case Verb::check:
        case Verb::config_defaults:
        case Verb::config_markdown:
        case Verb::config_rules: break;
    }
    return {};
}

int refused(const Command& command, const Received& received, const std::string& id) {
    const auto body = json::parse(received.body, nullptr, false);
    const bool worded = body.is_object() && body.contains("error") && body["error"].is_string();
    std::string why = worded ? body["error"].get<std::string>()
                             : "the gateway answered with HTTP status " + std::to_string(received.status);
    const bool gone = received.status == 404 && command.verb == Verb::queue_show;
    if (gone) why += " (" + id + "); what became of it is in the log";
    fail(0, why);
    if (body.is_object() && body.contains("faults"))
        for (const auto& fault : body["faults"])
            if (fault.is_string()) std::fprintf(stderr, "%s\n", printable(fault.get<std::string>()).c_str());
    if (gone) return EX_NOINPUT;
    switch (received.status) {
        case 400: return EX_USAGE;
        case 401:
        case 403: return EX_NOPERM;
        case 404: return EX_DATAERR;
        case 409: return EX_CONFIG;
        case 503: return EX_TEMPFAIL;
        default: return EX_SOFTWARE;
    }
}

}  // namespace

namespace {

/// Whether messages were chosen and none is there.
bool nothing_matched(const Command& command, const std::string& id, const json& answer) {
    const auto& filter = command.filter;
    const bool chosen = filter.held ||
                        !(id + filter.sender + filter.recipient + filter.route + command.older).empty() ||
                        (!command.gateway.empty() && command.verb != Verb::queue_move);
    if (!chosen || !answer.contains("messages")) return false;
    const auto& messages = answer.at("messages");
    if (messages.is_array()) return messages.empty();
    return messages.get<std::uint64_t>() + answer.value("held", std::uint64_t{0}) == 0;
}

/// Of an explanation: whether the message would be taken.
int taken(const json& explanation) {
    int code = EX_OK;
    for (const auto* side : {"sender", "recipient"}) {
        const int reply = explanation.at(side).at("reply").at("code").get<int>();
        if (reply >= 500) return EX_NOUSER;
        if (reply >= 400) code = EX_TEMPFAIL;
    }
    return code;
}

bool is_about_queue(Verb verb) { return verb >= Verb::queue_list && verb <= Verb::queue_move; }

/// `hints` stand behind the news that nobody answers.
int ask_once(const Command& command, const std::filesystem::path& socket, const std::string& id,
             const std::string& hints) {
    const auto received = agent::call(socket, call_for(command, id));
    if (!received) return fail(EX_UNAVAILABLE, received.error() + hints);
    if (received->status != 200) return refused(command, *received, id);
    try {
        const auto answer = json::parse(received->body, nullptr, false);
        if (command.json)
            std::fputs(received->body.c_str(), stdout);
        else
            std::fputs(present(command, answer).c_str(), stdout);
        if (command.verb == Verb::explain) return taken(answer);
        const bool nothing = is_about_queue(command.verb) && nothing_matched(command, id, answer);
        return nothing ? EX_NOINPUT : EX_OK;
    } catch (const json::exception& error) {
        return fail(
            EX_SOFTWARE,
            std::string("the gateway's answer is not understood; is it of another version? ") + error.what());
    }
}

}  // namespace

int ask(const Command& command) {
    // Faults elsewhere in the file must not keep anybody from looking at the running gateway.
    auto reading = read_settings(command.config);
    std::string hints;
    if (is_about_queue(command.verb))
        hints = ". What waits stays on disk meanwhile; only the running gateway can show it";
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
    const auto ids = command.ids.empty() ? std::vector<std::string>{""} : command.ids;
    int worst = EX_OK;
    for (const auto& id : ids)
        if (const int code = ask_once(command, reading.settings.socket(), id, hints); code != EX_OK)
            worst = code;
    return worst;
}

}  // namespace postern::agent
