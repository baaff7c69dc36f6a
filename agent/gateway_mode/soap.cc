#include "agent/gateway_mode/soap.h"

#include <algorithm>
#include <cstring>
#include <limits>
#include <pugixml.hpp>

#include "agent/log/log_line.h"
#include "sync/base/utf8.h"

namespace postern::agent::soap {
namespace {

constexpr std::size_t longest_name = 64, longest_text = 200, most_wanted = 64;
constexpr std::string_view namespace_1_1 = "http://schemas.xmlsoap.org/soap/envelope/";
constexpr std::string_view namespace_1_2 = "http://www.w3.org/2003/05/soap-envelope";

std::string_view local_name(const pugi::xml_node& node) {
    const std::string_view name = node.name();
    return name.substr(name.find(':') + 1);
}

/// The namespace that `node` itself declares for its prefix, "" when it declares none.
std::string_view declared_namespace(const pugi::xml_node& node) {
    const std::string_view name = node.name();
    const auto colon = name.find(':');
    const std::string attribute =
        colon == std::string_view::npos ? "xmlns" : "xmlns:" + std::string(name.substr(0, colon));
    return node.attribute(attribute.c_str()).value();
}

pugi::xml_node first_element(const pugi::xml_node& parent, std::string_view name) {
    for (const auto& child : parent.children())
        if (child.type() == pugi::node_element && (name.empty() || local_name(child) == name)) return child;
    return {};
}

/// The one root element; an empty node when there is another, a document type or text beside it.
pugi::xml_node only_root(const pugi::xml_document& document) {
    pugi::xml_node root;
    for (const auto& node : document.children()) {
        if (node.type() == pugi::node_comment || node.type() == pugi::node_declaration) continue;
        if (node.type() != pugi::node_element || root) return {};
        root = node;
    }
    return root;
}

std::string with_envelope(Version version, std::string_view body) {
    std::string xml = R"(<?xml version="1.0" encoding="utf-8"?><soap:Envelope xmlns:soap=")";
    xml.append(version == Version::v1_1 ? namespace_1_1 : namespace_1_2);
    xml +=
        R"(" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xmlns:xsd="http://www.w3.org/2001/XMLSchema">)";
    return xml.append("<soap:Body>").append(body).append("</soap:Body></soap:Envelope>");
}

/// The fields every result begins with, in the order the schema has them, then `payload`.
std::string result(Version version, const std::string& operation, std::string_view head,
                   std::string_view payload) {
    const std::string response = operation + "Response", inner = operation + "Result";
    std::string xml = '<' + response + R"( xmlns="http://tempuri.org/"><)" + inner + '>';
    xml.append(head).append(payload).append("</" + inner + "></" + response + '>');
    return with_envelope(version, xml);
}

constexpr std::string_view success = "<Result>true</Result><ResultCode>0</ResultCode><Message />";

std::string message_count(std::uint64_t messages) {
    constexpr std::uint64_t most = std::numeric_limits<std::int32_t>::max();
    return "<messageCount>" + std::to_string(std::min(messages, most)) + "</messageCount>";
}

}  // namespace

tl::expected<Call, std::string> parse_call(std::string_view xml) {
    if (!base::is_utf8(xml)) return tl::unexpected<std::string>("the request is not UTF-8");
    pugi::xml_document document;
    const auto parsed = document.load_buffer(xml.data(), xml.size(),
                                             pugi::parse_default | pugi::parse_doctype | pugi::parse_fragment,
                                             pugi::encoding_utf8);
    if (!parsed) return tl::unexpected(std::string("the request is not XML: ") + parsed.description());
    const auto envelope = only_root(document);
    if (local_name(envelope) != "Envelope")
        return tl::unexpected<std::string>("the request is not one SOAP envelope without a document type");
    Call call;
    const auto space = declared_namespace(envelope);
    if (space != namespace_1_1 && space != namespace_1_2)
        return tl::unexpected<std::string>("the envelope is neither of SOAP 1.1 nor of SOAP 1.2");
    call.version = space == namespace_1_1 ? Version::v1_1 : Version::v1_2;
    const auto operation = first_element(first_element(envelope, "Body"), "");
    if (!operation) return tl::unexpected<std::string>("the envelope has no call in its body");
    call.operation = local_name(operation);
    if (call.operation.size() > longest_name)
        return tl::unexpected<std::string>("the name of the operation is too long");
    call.user = first_element(operation, "AuthUserName").text().get();
    call.password = first_element(operation, "AuthPassword").text().get();
    if (call.user.size() > longest_text || call.password.size() > longest_text)
        return tl::unexpected<std::string>("user name or password is too long");
    for (const auto& item : first_element(operation, "reqStats").children()) {
        if (item.type() != pugi::node_element) continue;
        if (call.wanted.size() == most_wanted)
            return tl::unexpected<std::string>("reqStats has too many items");
        call.wanted.emplace_back(item.text().get());
        if (call.wanted.back().size() > longest_text)
            return tl::unexpected<std::string>("an item of reqStats is too long");
    }
    return call;
}

std::string_view media_type(Version version) {
    return version == Version::v1_1 ? "text/xml; charset=utf-8" : "application/soap+xml; charset=utf-8";
}

std::string spool_message_count(Version version, std::uint64_t messages) {
    return result(version, "GetSpoolMessageCount", success, message_count(messages));
}

std::string request_status(Version version, const std::vector<std::pair<std::string, std::string>>& pairs) {
    std::string payload = "<KeyValuePairs>";
    for (const auto& [key, value] : pairs)
        payload.append("<string>").append(escaped(key + '=' + value)).append("</string>");
    return result(version, "RequestStatus", success, payload + "</KeyValuePairs>");
}

std::string failure(const Call& call, std::string_view message) {
    const std::string head =
        "<Result>false</Result><ResultCode>-1</ResultCode><Message>" + escaped(message) + "</Message>";
    const bool counts = call.operation == "GetSpoolMessageCount";
    return result(call.version, call.operation, head, counts ? message_count(0) : "");
}

std::string fault(Version version, std::string_view text) {
    const std::string words = escaped(text);
    if (version == Version::v1_1)
        return with_envelope(version, "<soap:Fault><faultcode>soap:Client</faultcode><faultstring>" + words +
                                          "</faultstring><detail /></soap:Fault>");
    return with_envelope(
        version,
        "<soap:Fault><soap:Code><soap:Value>soap:Sender</soap:Value></soap:Code><soap:Reason>"
        R"(<soap:Text xml:lang="en">)" +
            words + "</soap:Text></soap:Reason></soap:Fault>");
}

std::string escaped(std::string_view text) {
    std::string result;
    for (const char c : text) {
        switch (c) {
            case '&': result += "&amp;"; break;
            case '<': result += "&lt;"; break;
            case '>': result += "&gt;"; break;
            case '"': result += "&quot;"; break;
            case '\t':
            case '\n':
            case '\r': result += c; break;
            default: result += static_cast<unsigned char>(c) < 0x20 ? '?' : c;
        }
    }
    return result;
}

}  // namespace postern::agent::soap
