#include "agent/http/answer.h"

#include <nlohmann/json.hpp>

namespace postern::agent {

using nlohmann::json;

namespace {

std::string_view phrase(int status) {
    switch (status) {
        case 200: return "OK";
        case 400: return "Bad Request";
        case 401: return "Unauthorized";
        case 403: return "Forbidden";
        case 404: return "Not Found";
        case 405: return "Method Not Allowed";
        case 409: return "Conflict";
        case 411: return "Length Required";
        case 413: return "Content Too Large";
        case 414: return "URI Too Long";
        case 415: return "Unsupported Media Type";
        case 416: return "Range Not Satisfiable";
        case 417: return "Expectation Failed";
        case 421: return "Misdirected Request";
        case 431: return "Request Header Fields Too Large";
        case 500: return "Internal Server Error";
        case 503: return "Service Unavailable";
        case 505: return "HTTP Version Not Supported";
        default: return status < 500 ? "Refused" : "Failed";
    }
}

}  // namespace

std::string head_of(const Answer& answer) {
    std::string head = "HTTP/1.1 " + std::to_string(answer.status) + ' ' + std::string(phrase(answer.status));
    const auto field = [&head](std::string_view name, std::string_view value) {
        head.append("\r\n").append(name).append(": ").append(value);
    };
    field("Content-Type", answer.type);
    field("Content-Length", std::to_string(answer.body.size()));
    field("Connection", "close");
    field("X-Content-Type-Options", "nosniff");
    field("Cache-Control", "no-store");
    if (answer.status == 401) field("WWW-Authenticate", "Bearer");
    if (!answer.allow.empty()) field("Allow", answer.allow);
    return head.append("\r\n\r\n");
}

Answer refusal(int status, std::string_view why) {
    return {status, dump({{"error", why}}), "application/json", ""};
}

std::string dump(const json& value) {
    // In ASCII: on a terminal nothing of it acts, whatever the network put in.
    return value.dump(2, ' ', true, json::error_handler_t::replace) + '\n';
}

}  // namespace postern::agent
