#include "tests/support/primary_double_soap.h"

#include <algorithm>
#include <cctype>
#include <optional>
#include <pugixml.hpp>

#include "tests/support/primary_soap_operations.h"
#include "tests/support/primary_soap_result.h"

namespace postern::tests::soap {

namespace {

using pugi::xml_node;

constexpr const char* tempuri = "http://tempuri.org/";
constexpr const char* envelope_1_1 = "http://schemas.xmlsoap.org/soap/envelope/";
constexpr const char* envelope_1_2 = "http://www.w3.org/2003/05/soap-envelope";

std::string lower(std::string text) {
    std::transform(text.begin(), text.end(), text.begin(), [](unsigned char c) { return std::tolower(c); });
    return text;
}

std::string local_name(const std::string& name) { return name.substr(name.find(':') + 1); }

std::string name_space(xml_node node) {
    const std::string name = node.name();
    const auto colon = name.find(':');
    const std::string declared = colon == name.npos ? "xmlns" : "xmlns:" + name.substr(0, colon);
    for (; node; node = node.parent())
        if (const auto attribute = node.attribute(declared.c_str())) return attribute.value();
    return {};
}

xml_node child(xml_node parent, const std::string& space, const std::string& name) {
    return parent.find_child([&](xml_node node) {
        return node.type() == pugi::node_element && local_name(node.name()) == name &&
               name_space(node) == space;
    });
}

/// The operation that a SOAPAction or a Content-Type's action names; "" for none of ours.
std::string operation_in(std::string action) {
    if (action.size() >= 2 && action.front() == '"' && action.back() == '"')
        action = action.substr(1, action.size() - 2);
    return action.starts_with(tempuri) ? action.substr(std::string(tempuri).size()) : "";
}

std::string action_of(const Request& request) {
    if (!request.content_type.starts_with("application/soap+xml")) return request.action;
    const auto at = request.content_type.find("action=");
    if (at == std::string::npos) return {};
    const std::string value = request.content_type.substr(at + 7);
    return value.substr(0, value.find(';'));
}

/// "svcUserAdmin" for the path's "svcuseradmin.asmx"; "" when there is no such service.
std::string service_of(const Request& request) {
    if (request.parts.size() < 2 || request.parts[request.parts.size() - 2] != "services") return {};
    for (const char* name : {"svcAliasAdmin", "svcDomainAdmin", "svcDomainAliasAdmin", "svcMailListAdmin",
                             "svcProductInfo", "svcServerAdmin", "svcUserAdmin"})
        if (request.parts.back() == lower(name) + ".asmx") return name;
    return {};
}

std::string enveloped(const std::string& space, const std::string& content) {
    return "<?xml version=\"1.0\" encoding=\"utf-8\"?><soap:Envelope xmlns:soap=\"" + space +
           "\" xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\" "
           "xmlns:xsd=\"http://www.w3.org/2001/XMLSchema\"><soap:Body>" +
           content + "</soap:Body></soap:Envelope>";
}

std::string media_type(const std::string& space) {
    return space == envelope_1_2 ? "application/soap+xml; charset=utf-8" : "text/xml; charset=utf-8";
}

Answer fault(const std::string& space, const std::string& words) {
    const std::string text = escape(words);
    const std::string content =
        space == envelope_1_2
            ? "<soap:Fault><soap:Code><soap:Value>soap:Sender</soap:Value></soap:Code><soap:Reason>"
              "<soap:Text xml:lang=\"en\">" +
                  text + "</soap:Text></soap:Reason></soap:Fault>"
            : "<soap:Fault><faultcode>soap:Client</faultcode><faultstring>" + text +
                  "</faultstring><detail /></soap:Fault>";
    return {500, enveloped(space, content), media_type(space), false};
}

Answer reply(const std::string& space, const std::string& operation, const Result& result,
             const Json& switches) {
    const Json message = switches.value("soap_success_message", Json(""));
    std::string fields = result.login ? "<LoginValidated>" : "<Result>";
    fields += result.success ? "true" : "false";
    fields += (result.login ? "</LoginValidated>" : "</Result>");
    fields += "<ResultCode>" + std::to_string(result.code) + "</ResultCode>";
    if (!result.success) fields += "<Message>" + escape(result.message) + "</Message>";
    if (result.success && message.is_string())
        fields += "<Message>" + escape(message.get<std::string>()) + "</Message>";
    return {200,
            enveloped(space, "<" + operation + "Response xmlns=\"" + tempuri + "\"><" + operation +
                                 "Result>" + fields + result.payload + "</" + operation + "Result></" +
                                 operation + "Response>"),
            media_type(space), false};
}

Answer wsdl(const std::string& service) {
    std::string text =
        "<?xml version=\"1.0\" encoding=\"utf-8\"?><wsdl:definitions "
        "xmlns:wsdl=\"http://schemas.xmlsoap.org/wsdl/\" targetNamespace=\"";
    text.append(tempuri).append("\"><wsdl:portType name=\"").append(service).append("Soap\">");
    for (const std::string& name : operations_of(service)) text += "<wsdl:operation name=\"" + name + "\" />";
    return {200, text + "</wsdl:portType></wsdl:definitions>", "text/xml; charset=utf-8", false};
}

/// Elements in another namespace are no parameters.
Json parameters_of(xml_node call) {
    Json parameters = Json::object();
    for (const xml_node node : call) {
        if (node.type() != pugi::node_element || name_space(node) != tempuri) continue;
        Json value = node.child_value();
        if (node.find_child([](xml_node inner) { return inner.type() == pugi::node_element; })) {
            value = Json::array();
            for (const xml_node item : node)
                if (name_space(item) == tempuri && local_name(item.name()) == "string")
                    value.push_back(item.child_value());
        }
        parameters[local_name(node.name())] = std::move(value);
    }
    return parameters;
}

std::string text(const Json& parameters, const char* name) {
    const auto found = parameters.find(name);
    return found != parameters.end() && found->is_string() ? found->get<std::string>() : "";
}

/// Whether the credentials that belong to the operation are an administrator's.
bool admitted(Credentials credentials, const Json& parameters, const Json& world) {
    const bool upper = credentials == Credentials::upper;
    const std::string user = text(parameters, upper ? "AuthUserName" : "authUsername");
    const std::string password = text(parameters, upper ? "AuthPassword" : "authPassword");
    const Json admin = world.value("admin", Json::object());
    return lower(user) == lower(admin.value("user", "gateway")) &&
           password == admin.value("password", "secret");
}

Result log_in(const std::string& operation, const Json& parameters, const Json& world) {
    const std::string user = text(parameters, operation == "LoginValidated" ? "Username" : "UserName");
    const Json admin = world.value("admin", Json::object());
    const bool good = lower(user) == lower(admin.value("user", "gateway")) &&
                      text(parameters, "Password") == admin.value("password", "secret");
    return {good, good ? 0 : -1, good ? "" : "Failed to log in.", {}, operation == "LoginValidated"};
}

bool exists(const std::string& operation, const Json& switches) {
    if (switches.value("soap_version", "10") != "5.x") return true;
    for (const char* later : {"GetDomainUsers", "GetAllDomainAliases", "GetDomainCounts", "GetUserQuotas"})
        if (operation == later) return false;
    return true;
}

Answer called(const Request& request, const std::string& service, const Json& world, const Json& switches) {
    const bool second = request.content_type.starts_with("application/soap+xml");
    if (!second && !request.content_type.starts_with("text/xml")) return {415, "", "text/html", false};
    const std::string space = second ? envelope_1_2 : envelope_1_1;
    const std::string action = action_of(request);
    if (!second && (action.size() < 2 || action.front() != '"'))
        return fault(space, "Unable to handle request without a valid action parameter.");
    pugi::xml_document document;
    const auto parsed = document.load_buffer(request.body.data(), request.body.size(),
                                             pugi::parse_default | pugi::parse_doctype, pugi::encoding_utf8);
    if (!parsed || document.find_child([](xml_node node) { return node.type() == pugi::node_doctype; }))
        return fault(space, "Server was unable to read request. ---> There is an error in XML document.");
    const xml_node envelope = child(document, space, "Envelope");
    if (!envelope) return fault(space, "Possible SOAP version mismatch: Envelope namespace was unexpected.");
    const xml_node call =
        child(envelope, space, "Body").find_child([](xml_node node) { return name_space(node) == tempuri; });
    const std::string name = action.empty() ? local_name(call.name()) : operation_in(action);
    const Operation* operation = exists(name, switches) ? find_operation(service, name) : nullptr;
    if (operation == nullptr)
        return fault(space, "Server did not recognize the value of HTTP Header SOAPAction: " + action + ".");
    if (!call || local_name(call.name()) != name)
        return fault(space, "Server was unable to read request. ---> <" + name + "> was not expected.");

    const Json parameters = parameters_of(call);
    if (operation->credentials == Credentials::none)
        return reply(space, name, log_in(name, parameters, world), switches);
    if (!admitted(operation->credentials, parameters, world)) {
        Answer answer = reply(space, name,
                              {false,
                               switches.value("soap_login_code", -1),
                               switches.value("soap_login_message", "Failed to log in."),
                               {},
                               false},
                              switches);
        answer.login_failed = true;
        return answer;
    }
    const Json refused = switches.value("soap_refused", Json::object());
    if (const auto found = refused.find(name); found != refused.end())
        return reply(space, name, {false, -5, found->get<std::string>(), {}, false}, switches);
    return reply(space, name, perform(service, name, parameters, world, switches), switches);
}

}  // namespace

std::string target(const Request& request) {
    const std::string service = service_of(request);
    if (service.empty()) return {};
    const std::string name =
        request.method == "GET" ? (request.wsdl ? "?wsdl" : "") : "/" + operation_in(action_of(request));
    return lower("services/" + service + ".asmx" + name);
}

Answer answer(const Request& request, const Json& world, const Json& switches) {
    const std::string service = service_of(request);
    if (request.method == "GET" && !request.wsdl)
        return {200, "<html><body>" + service + "</body></html>", "text/html", false};
    if (request.method == "GET") return wsdl(service);
    return called(request, service, world, switches);
}

}  // namespace postern::tests::soap
