#include "sync/soap/soap_request.h"

#include <catch2/catch.hpp>

using namespace postern::sync;
using soap::Parameter;

TEST_CASE("a call", "[soap]") {
    const postern::base::Secret password("se<c&r>et");
    const auto request = soap::request(soap::get_domain_settings, "gateway", password,
                                       {Parameter::text("DomainName", "example.com"),
                                        Parameter::strings("requestedSettings", {"catchall", "isenabled"})});
    REQUIRE(request);
    CHECK(request->method == "POST");
    CHECK(request->path == "Services/svcDomainAdmin.asmx");
    const std::vector<std::pair<std::string, std::string>> headers{
        {"Accept", "text/xml"},
        {"Content-Type", "text/xml; charset=utf-8"},
        {"SOAPAction", "\"http://tempuri.org/GetRequestedDomainSettings\""}};
    CHECK(request->headers == headers);
    CHECK(request->body ==
          "<?xml version=\"1.0\" encoding=\"utf-8\"?>"
          "<soap:Envelope xmlns:soap=\"http://schemas.xmlsoap.org/soap/envelope/\"><soap:Body>"
          "<GetRequestedDomainSettings xmlns=\"http://tempuri.org/\">"
          "<AuthUserName>gateway</AuthUserName><AuthPassword>se&lt;c&amp;r&gt;et</AuthPassword>"
          "<DomainName>example.com</DomainName>"
          "<requestedSettings><string>catchall</string><string>isenabled</string></requestedSettings>"
          "</GetRequestedDomainSettings></soap:Body></soap:Envelope>");
}

TEST_CASE("what XML cannot carry is not sent", "[soap]") {
    const postern::base::Secret good("secret"), bad(std::string("se\x01"
                                                                "cret"));
    CHECK_FALSE(soap::request(soap::get_all_domains, "gateway", bad, {}));
    CHECK_FALSE(soap::request(soap::get_all_domains, "gate\x02way", good, {}));
    CHECK_FALSE(soap::request(soap::get_users, "gateway", good, {Parameter::text("DomainName", "a\x03")}));
    CHECK(soap::request(soap::get_users, "gateway", good, {Parameter::text("DomainName", "b\xc3\xbc")}));
}

TEST_CASE("the description is asked for without credentials", "[soap]") {
    const HttpRequest request = soap::wsdl_request("svcDomainAdmin");
    CHECK(request.method == "GET");
    CHECK(request.path == "Services/svcDomainAdmin.asmx?wsdl");
    CHECK(request.body.empty());
}
