#include "agent/commands.h"

#include <sysexits.h>

#include <cstdio>
#include <nlohmann/json.hpp>

#include "agent/client.h"
#include "agent/log_line.h"
#include "agent/present.h"
#include "agent/settings.h"
#include "agent/token.h"

namespace postern::agent {
namespace {

using nlohmann::json;

int fail(int code, const std::string& why) {
    std::fprintf(stderr, "postern: %s\n", printable(why).c_str());
    return code;
}

Call call_for(const Command& command) {
    Call call;
    const auto parameter = [&call](const char* name, const std::string& value) {
        if (!value.empty()) call.parameters[name] = value;
    };
    const auto choice = [&](const char* method, const char* path) {
        call.method = method;
        call.path = path;
        parameter("id", command.filter.id);
        parameter("sender", command.filter.sender);
        parameter("recipient", command.filter.recipient);
        parameter("route", command.filter.route);
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
            break;
        case Verb::queue_show: path("GET", "/v1/messages/" + command.filter.id); break;
        case Verb::queue_retry: choice("POST", "/v1/queue/retry"); break;
        case Verb::queue_delete:
            choice("DELETE", "/v1/queue");
            if (command.all) parameter("all", "true");
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
        case Verb::config_markdown: break;
    }
    return call;
}

std::string messages(const json& answer, const char* what) {
    const auto count = answer.at("messages").get<std::uint64_t>();
    if (count == 0) return "no such message is in the queue\n";
    return std::to_string(count) + (count == 1 ? " message " : " messages ") + what + '\n';
}

std::string present(Verb verb, const json& answer) {
    switch (verb) {
        case Verb::status: return present_status(answer);
        case Verb::queue_list: return present_queue(answer);
        case Verb::queue_show: return present_message(answer);
        case Verb::queue_retry: return messages(answer, "will be tried now");
        case Verb::queue_delete: return messages(answer, "deleted");
        case Verb::directory:
            return answer.contains("primaries") ? present_directory(answer) : present_directory_entry(answer);
        case Verb::explain: return present_explanation(answer);
        case Verb::forget:
            return answer.at("forgotten").get<bool>() ? "forgotten; it is asked for again when it is needed\n"
                                                      : "nothing to forget: it was not asked for by itself\n";
        case Verb::sync:
            return "reading the primaries' directories now; \"postern status\" shows how it went\n";
        case Verb::reload: return "the configuration file is in force\n";
        case Verb::run:
        case Verb::check:
        case Verb::config_defaults:
        case Verb::config_markdown: break;
    }
    return {};
}

int refused(const Received& received) {
    const auto body = json::parse(received.body, nullptr, false);
    const bool worded = body.is_object() && body.contains("error") && body["error"].is_string();
    std::string why = worded ? body["error"].get<std::string>()
                             : "the gateway answered with HTTP status " + std::to_string(received.status);
    if (received.status == 401) why += "; is --config the file the gateway runs with?";
    fail(0, why);
    if (body.is_object() && body.contains("faults"))
        for (const auto& fault : body["faults"])
            if (fault.is_string()) std::fprintf(stderr, "%s\n", printable(fault.get<std::string>()).c_str());
    switch (received.status) {
        case 400: return EX_USAGE;
        case 401: return EX_NOPERM;
        case 404: return EX_DATAERR;
        case 409: return EX_CONFIG;
        case 503: return EX_TEMPFAIL;
        default: return EX_SOFTWARE;
    }
}

}  // namespace

int ask(const Command& command) {
    // Faults elsewhere in the file must not keep anybody from looking at the running gateway.
    const auto reading = read_settings(command.config);
    if (reading.positions.empty() && !reading.faults.empty())
        return fail(EX_CONFIG, reading.faults.front().line(command.config));
    auto call = call_for(command);
    if (call.method != "GET") {
        const auto token = read_token(reading.settings.token_file());
        if (!token)
            return fail(EX_NOPERM,
                        "token " + token.error() + "; run this as root or as the gateway's account");
        call.token = *token;
    }
    const auto received = agent::call(reading.settings.status.address, call);
    if (!received) return fail(EX_UNAVAILABLE, received.error());
    if (received->status != 200) return refused(*received);
    if (command.json) {
        std::fputs(received->body.c_str(), stdout);
        return EX_OK;
    }
    try {
        std::fputs(present(command.verb, json::parse(received->body)).c_str(), stdout);
    } catch (const json::exception& error) {
        return fail(
            EX_SOFTWARE,
            std::string("the gateway's answer is not understood; is it of another version? ") + error.what());
    }
    return EX_OK;
}

}  // namespace postern::agent
