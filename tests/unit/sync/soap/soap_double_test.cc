// The double's SOAP side is as strict as the primary: what a client might get wrong is answered as there.
#include <catch2/catch.hpp>

#include "tests/support/primary_double.h"
#include "tests/support/primary_double_soap.h"

using namespace postern::tests;

namespace {

constexpr const char* soap_1_1 = "http://schemas.xmlsoap.org/soap/envelope/";
constexpr const char* soap_1_2 = "http://www.w3.org/2003/05/soap-envelope";
const std::string login = "<AuthUserName>gateway</AuthUserName><AuthPassword>secret</AuthPassword>";
const std::string small_login = "<authUsername>gateway</authUsername><authPassword>secret</authPassword>";

soap::Request request(const std::string& service, const std::string& operation, const std::string& fields,
                      const std::string& space = soap_1_1) {
    return {"POST",
            {"services", service + ".asmx"},
            false,
            "text/xml; charset=utf-8",
            "\"http://tempuri.org/" + operation + "\"",
            "<s:Envelope xmlns:s=\"" + space + "\"><s:Body><" + operation +
                " xmlns=\"http://tempuri.org/\">" + fields + "</" + operation + "></s:Body></s:Envelope>"};
}

soap::Answer ask(const soap::Request& request, const Json& switches = Json::object()) {
    return soap::answer(request, example_world(), switches);
}

bool has(const soap::Answer& answer, const std::string& text) {
    return answer.text.find(text) != std::string::npos;
}

}  // namespace

TEST_CASE("the double's replies have the first three fields in order", "[soap]") {
    const auto answer = ask(request("svcdomainadmin", "GetAllDomains", login));
    CHECK(answer.status == 200);
    CHECK(has(answer,
              "<GetAllDomainsResult><Result>true</Result><ResultCode>0</ResultCode><Message></Message>"
              "<DomainNames><string>example.com</string>"));
    const auto refused =
        ask(request("svcdomainadmin", "GetAllDomains", "<AuthUserName>gateway</AuthUserName>"));
    CHECK(refused.status == 200);
    CHECK(refused.login_failed);
    CHECK(has(refused,
              "<Result>false</Result><ResultCode>-1</ResultCode><Message>Failed to log in.</Message>"));
}

TEST_CASE("the double takes names as the primary does", "[soap]") {
    const auto users = [](const std::string& fields) {
        return ask(request("svcuseradmin", "GetUsers", fields));
    };
    CHECK(
        has(users(login + "<DomainName>example.net</DomainName>"), "<UserName>erin@example.net</UserName>"));
    CHECK(has(users(login + "<DomainName>example.net</DomainName>"), "<Password>pw-of-erin</Password>"));
    CHECK(has(users(login + "<DomainName>example.net</DomainName><Unknown>x</Unknown>"), "erin@"));
    CHECK(has(users(login + "<domainName>example.net</domainName>"), "Domain not found."));
    CHECK(has(users(login + "<DomainName xmlns=\"\">example.net</DomainName>"), "Domain not found."));
    CHECK(users("<AuthUsername>gateway</AuthUsername><AuthPassword>secret</AuthPassword>").login_failed);
    CHECK(has(ask(request("svcserveradmin", "GetSpoolMessageCount", login)),
              "<messageCount>12</messageCount>"));
    CHECK(ask(request("svcserveradmin", "ListServerPorts", login)).login_failed);
    CHECK(has(ask(request("svcserveradmin", "ListServerPorts", small_login)), "does not do this"));
    CHECK(has(ask(request("svcdomainadmin", "GetDomainInfo", login + "<domainName>example.net</domainName>")),
              "<Path>"));
}

TEST_CASE("a missing alias is called Empty", "[soap]") {
    const auto alias = [](const std::string& name) {
        return ask(
            request("svcaliasadmin", "GetAlias",
                    login + "<DomainName>example.com</DomainName><AliasName>" + name + "</AliasName>"));
    };
    CHECK(has(alias("sales"), "<Name>sales</Name>"));
    CHECK(has(alias("sales@example.com"), "<Name>sales</Name>"));
    CHECK(has(alias("none"), "<Result>true</Result>"));
    CHECK(has(alias("none"), "<Name>Empty</Name><Addresses />"));
}

TEST_CASE("the double answers bad requests with a fault", "[soap]") {
    const auto fault = [](const soap::Request& request, const Json& switches = Json::object()) {
        const auto answer = ask(request, switches);
        return answer.status == 500 && has(answer, "<soap:Fault>");
    };
    const soap::Request good = request("svcdomainadmin", "GetAllDomains", login);
    CHECK_FALSE(fault(good));
    soap::Request changed = good;
    changed.action = "";
    CHECK(fault(changed));
    changed.action = "http://tempuri.org/GetAllDomains";
    CHECK(fault(changed));
    changed.action = "\"http://tempuri.org/GetDomainCounts\"";
    CHECK(fault(changed));
    changed = good;
    changed.body.resize(changed.body.size() - 5);
    CHECK(fault(changed));
    changed.body = "<!DOCTYPE a>" + good.body;
    CHECK(fault(changed));
    changed.body = good.body;
    changed.body.replace(changed.body.find("http://tempuri.org/"), 19, "http://example.org/");
    CHECK(fault(changed));
    CHECK(fault(request("svcdomainadmin", "getalldomains", login)));
    CHECK(fault(request("svcuseradmin", "GetAllDomains", login)));
    CHECK(fault(request("svcdomainadmin", "GetAllDomains", login, soap_1_2)));
    changed = good;
    changed.content_type = "application/json";
    CHECK(ask(changed).status == 415);
    for (const char* later : {"GetDomainUsers", "GetAllDomainAliases"}) {
        CHECK_FALSE(fault(request("svcdomainadmin", later, login)));
        CHECK(fault(request("svcdomainadmin", later, login), {{"soap_version", "5.x"}}));
    }
}

TEST_CASE("the double speaks SOAP 1.2", "[soap]") {
    soap::Request call = request("svcdomainadmin", "GetAllDomains", login, soap_1_2);
    call.action.clear();
    call.content_type = "application/soap+xml; charset=utf-8";
    CHECK(has(ask(call), "<string>example.com</string>"));
    CHECK(ask(call).type == "application/soap+xml; charset=utf-8");
    call.content_type += "; action=\"http://tempuri.org/GetAllDomains\"";
    CHECK(has(ask(call), "<string>example.com</string>"));
    CHECK(soap::target(call) == "services/svcdomainadmin.asmx/getalldomains");
    call.body.resize(10);
    CHECK(has(ask(call), "<soap:Reason>"));
}

TEST_CASE("the double's generations can be switched off", "[soap]") {
    PrimaryDouble primary(example_world());
    const auto status = [&](const char* path) {
        httplib::Client client("127.0.0.1", primary.port());
        const auto answer = client.Get(path);
        return answer ? answer->status : 0;
    };
    const char* wsdl = "/Services/svcDomainAdmin.asmx?wsdl";
    const char* rest = "/api/v1/settings/sysadmin/domains";
    CHECK(status(wsdl) == 404);
    CHECK(status(rest) == 401);
    primary.set_switches({{"soap", true}, {"rest", false}});
    CHECK(status(wsdl) == 200);
    CHECK(status(rest) == 404);
    CHECK(status("/Services/svcNone.asmx?wsdl") == 404);
}
