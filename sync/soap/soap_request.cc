#include "sync/soap/soap_request.h"

#include <algorithm>

namespace postern::sync::soap {

namespace {

constexpr std::string_view head =
    "<?xml version=\"1.0\" encoding=\"utf-8\"?>"
    "<soap:Envelope xmlns:soap=\"http://schemas.xmlsoap.org/soap/envelope/\"><soap:Body>";
constexpr std::string_view tail = "</soap:Body></soap:Envelope>";
constexpr std::size_t longest_escape = 6;

bool carried(std::string_view text) {
    return std::none_of(text.begin(), text.end(), [](char c) {
        return static_cast<unsigned char>(c) < 0x20 && c != '\t' && c != '\n' && c != '\r';
    });
}

void escape(std::string& out, std::string_view text) {
    for (const char c : text) {
        switch (c) {
            case '&': out += "&amp;"; break;
            case '<': out += "&lt;"; break;
            case '>': out += "&gt;"; break;
            case '\r': out += "&#13;"; break;
            default: out += c;
        }
    }
}

void element(std::string& out, std::string_view name, std::string_view text) {
    out.append("<").append(name).append(">");
    escape(out, text);
    out.append("</").append(name).append(">");
}

void write(std::string& out, const Parameter& parameter) {
    if (!parameter.list) return element(out, parameter.name, parameter.values.front());
    out.append("<").append(parameter.name).append(">");
    for (const std::string_view value : parameter.values) element(out, "string", value);
    out.append("</").append(parameter.name).append(">");
}

}  // namespace

std::optional<HttpRequest> request(const Operation& operation, std::string_view username,
                                   const base::Secret& password, const std::vector<Parameter>& parameters) {
    bool fits = carried(username) && carried(password.text());
    std::size_t size = 512 + longest_escape * (username.size() + password.text().size());
    for (const Parameter& parameter : parameters) {
        for (const std::string_view value : parameter.values) {
            fits = fits && carried(value);
            size += 64 + longest_escape * value.size();
        }
        size += 2 * parameter.name.size();
    }
    if (!fits) return std::nullopt;

    std::string body;
    body.reserve(size);  // growing would leave copies of the password behind
    body += head;
    body.append("<").append(operation.name).append(" xmlns=\"http://tempuri.org/\">");
    element(body, "AuthUserName", username);
    element(body, "AuthPassword", password.text());
    for (const Parameter& parameter : parameters) write(body, parameter);
    body.append("</").append(operation.name).append(">").append(tail);

    std::string path = "Services/";
    path.append(operation.service).append(".asmx");
    std::string action = "\"http://tempuri.org/";
    action.append(operation.name).append("\"");
    return HttpRequest{"POST",
                       std::move(path),
                       std::move(body),
                       {{"Accept", "text/xml"},
                        {"Content-Type", "text/xml; charset=utf-8"},
                        {"SOAPAction", std::move(action)}}};
}

HttpRequest wsdl_request(std::string_view service) {
    std::string path = "Services/";
    path.append(service).append(".asmx?wsdl");
    return {"GET", std::move(path), {}, {{"Accept", "text/xml"}}};
}

}  // namespace postern::sync::soap
