#include "agent/gateway_mode/mode.h"

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>
#include <pugixml.hpp>
#include <set>

#include "agent/gateway_mode/rest.h"
#include "agent/gateway_mode/soap.h"
#include "tests/unit/stepped_clock.h"

using namespace postern;
using namespace postern::agent;
using nlohmann::json;

namespace {

std::string envelope(const std::string& body,
                     const std::string& space = "http://schemas.xmlsoap.org/soap/envelope/") {
    return R"(<?xml version="1.0" encoding="utf-8"?><soap:Envelope xmlns:soap=")" + space +
           R"("><soap:Body>)" + body + "</soap:Body></soap:Envelope>";
}

std::string call_of(const std::string& operation, const std::string& password = "secret",
                    const std::string& more = "") {
    return envelope("<" + operation +
                    R"( xmlns="http://tempuri.org/"><AuthUserName>spool</AuthUserName><AuthPassword>)" +
                    password + "</AuthPassword>" + more + "</" + operation + ">");
}

std::string sign_in_of(const std::string& user, const std::string& password) {
    return json({{"username", user}, {"password", password}}).dump();
}

struct Asked {
    std::string operation;
    GatewayModeOutcome outcome;
    bool operator==(const Asked&) const = default;
};

struct Mode {
    std::vector<Asked> asked;
    std::uint64_t messages = 12;
    tests::SteppedClock clock;
    GatewayMode mode{"spool", Credentials("spool", "secret"), [this] { return messages; },
                     [this](const GatewayModeEvent& event) {
                         asked.push_back({std::string(event.operation), event.outcome});
                     },
                     clock};

    Answer ask(const std::string& method, const std::string& path, const std::string& body = "",
               const std::string& bearer = "") {
        GatewayModeRequest request;
        request.method = method;
        request.path = path;
        request.description = path.ends_with("?wsdl");
        if (request.description) request.path.erase(path.size() - 5);
        request.client = "192.0.2.10";
        request.location = "https://gw1.example.net:9998";
        request.body = body;
        request.bearer = bearer;
        return mode.respond(request);
    }
    Answer soap(const std::string& body, const std::string& service = "svcServerAdmin") {
        return ask("POST", "/Services/" + service + ".asmx", body);
    }
    Answer rest(const std::string& method, const std::string& path, const std::string& body = "",
                const std::string& bearer = "") {
        return ask(method, "/api/v1/" + path, body, bearer);
    }
};

std::string text_at(const std::string& xml, const char* path) {
    pugi::xml_document document;
    REQUIRE(document.load_string(xml.c_str()));
    return document.select_node(path).node().text().get();
}

const std::string counts = "settings/sysadmin/spool-message-counts";

}  // namespace

TEST_CASE("a SOAP call is read whatever its prefixes, comments and order are") {
    const auto plain = soap::parse_call(call_of("GetSpoolMessageCount"));
    REQUIRE(plain);
    CHECK(plain->version == soap::Version::v1_1);
    CHECK(plain->operation == "GetSpoolMessageCount");
    CHECK(plain->user == "spool");
    CHECK(plain->password == "secret");
    const auto other = soap::parse_call(
        "\xef\xbb\xbf<!-- a --><E:Envelope "
        "xmlns:E='http://www.w3.org/2003/05/soap-envelope'><E:Header/><E:Body>"
        "<t:RequestStatus xmlns:t='http://tempuri.org/'><t:reqStats><t:string>smtp_isrunning</t:string>"
        "<t:string/></t:reqStats><t:AuthPassword><![CDATA[a<b&c]]></t:AuthPassword>"
        "<t:AuthUserName>&lt;x&gt;</t:AuthUserName></t:RequestStatus></E:Body></E:Envelope>\n");
    REQUIRE(other);
    CHECK(other->version == soap::Version::v1_2);
    CHECK(other->operation == "RequestStatus");
    CHECK(other->user == "<x>");
    CHECK(other->password == "a<b&c");
    CHECK(other->wanted == std::vector<std::string>{"smtp_isrunning", ""});
    CHECK(soap::parse_call(envelope("<GetUsers/>"))->user.empty());
    CHECK(soap::parse_call(envelope("<GetUsers><authUserName>x</authUserName></GetUsers>"))->user.empty());
}

TEST_CASE("what is no SOAP call is refused with the reason") {
    std::string items;
    for (int i = 0; i < 65; ++i) items += "<string>a</string>";
    struct Case {
        std::string xml, reason;
    };
    const auto c = GENERATE_COPY(values<Case>({
        {"", "not one SOAP envelope"},
        {"hello", "not one SOAP envelope"},
        {"<html></html>", "not one SOAP envelope"},
        {call_of("A").substr(0, 150), "not XML"},
        {call_of("A") + "<more/>", "not one SOAP envelope"},
        {call_of("A") + "more", "not one SOAP envelope"},
        {"<!DOCTYPE x [<!ENTITY e \"eeee\">]>" + call_of("A"), "without a document type"},
        {call_of("A\xff"), "not UTF-8"},
        {envelope("", "http://example.net/"), "neither of SOAP 1.1 nor"},
        {"<Envelope><Body><A/></Body></Envelope>", "neither of SOAP 1.1 nor"},
        {envelope(""), "no call"},
        {envelope("text"), "no call"},
        {call_of(std::string(65, 'a')), "name of the operation is too long"},
        {call_of("A", std::string(201, 'p')), "too long"},
        {call_of("A", "p", "<reqStats>" + items + "</reqStats>"), "too many"},
        {call_of("A", "p", "<reqStats><string>" + std::string(201, 'k') + "</string></reqStats>"),
         "too long"},
    }));
    CAPTURE(c.xml);
    const auto call = soap::parse_call(c.xml);
    REQUIRE_FALSE(call);
    CHECK_THAT(call.error(), Catch::Contains(c.reason));
}

TEST_CASE("elements nested very deep are no danger") {
    std::string deep;
    for (int i = 0; i < 8000; ++i) deep += "<a>";
    CHECK_FALSE(soap::parse_call(deep));
    for (int i = 0; i < 8000; ++i) deep += "</a>";
    REQUIRE(soap::parse_call(envelope(deep)));
}

TEST_CASE("replies are well formed, whatever has to be said in them") {
    const std::string nasty = "<&>\"'\x01]]>";
    const auto version = GENERATE(soap::Version::v1_1, soap::Version::v1_2);
    pugi::xml_document document;
    CHECK(document.load_string(soap::fault(version, nasty).c_str()));
    CHECK(document.load_string(soap::request_status(version, {{"a", nasty}}).c_str()));
    CHECK(document.load_string(soap::failure({version, "RequestStatus", "", "", {}}, nasty).c_str()));
    CHECK(document.load_string(soap::service_description(nasty).c_str()));
    CHECK(text_at(soap::request_status(version, {{"a", "<&>"}}), "//string") == "a=<&>");
    CHECK(text_at(soap::spool_message_count(version, 5'000'000'000), "//messageCount") == "2147483647");
}

TEST_CASE("a SOAP result begins with its three fields, in the schema's order") {
    pugi::xml_document document;
    REQUIRE(document.load_string(soap::spool_message_count(soap::Version::v1_1, 12).c_str()));
    const auto result =
        document.child("soap:Envelope").child("soap:Body").child("GetSpoolMessageCountResponse");
    CHECK(std::string(result.attribute("xmlns").value()) == "http://tempuri.org/");
    std::vector<std::string> names;
    for (const auto& field : result.child("GetSpoolMessageCountResult").children())
        names.emplace_back(field.name());
    CHECK(names == std::vector<std::string>{"Result", "ResultCode", "Message", "messageCount"});
}

TEST_CASE("the spool count over SOAP") {
    Mode mode;
    const auto answer = mode.soap(call_of("GetSpoolMessageCount"));
    CHECK(answer.status == 200);
    CHECK(answer.type == "text/xml; charset=utf-8");
    CHECK(text_at(answer.body, "//Result") == "true");
    CHECK(text_at(answer.body, "//messageCount") == "12");
    CHECK(mode.asked ==
          std::vector<Asked>{{"svcserveradmin.GetSpoolMessageCount", GatewayModeOutcome::served}});
    CHECK(mode.ask("POST", "//services//SVCSERVERADMIN.asmx/", call_of("GetSpoolMessageCount")).status ==
          200);
}

TEST_CASE("the state over SOAP: what is asked for, in any case, or everything") {
    Mode mode;
    const auto some =
        mode.soap(call_of("RequestStatus", "secret",
                          "<reqStats><string>spool_messagecount</string><string>SMTP_isRunning</"
                          "string><string>x</string></reqStats>"));
    CHECK_THAT(some.body, Catch::Contains("<KeyValuePairs><string>Spool_MessageCount=12</string>"
                                          "<string>SMTP_IsRunning=True</string></KeyValuePairs>"));
    mode.clock.step(std::chrono::hours(10 * 24 + 9) + std::chrono::minutes(8) + std::chrono::seconds(7));
    const auto all = mode.soap(call_of("RequestStatus"));
    CHECK_THAT(all.body, Catch::Contains("<string>Server_Uptime=10.09:08:07</string>") &&
                             Catch::Contains("IMAP_IsRunning=False"));
}

TEST_CASE("wrong credentials over SOAP are refused in the operation's own shape") {
    Mode mode;
    for (const auto* operation : {"GetSpoolMessageCount", "RequestStatus"}) {
        const auto answer = mode.soap(call_of(operation, "wrong"));
        CHECK(answer.status == 200);
        CHECK(text_at(answer.body, "//Result") == "false");
        CHECK(text_at(answer.body, "//ResultCode") == "-1");
        CHECK(text_at(answer.body, "//Message") == "Failed to log in.");
        CHECK(mode.asked.back().outcome == GatewayModeOutcome::login_refused);
    }
    CHECK(text_at(mode.soap(envelope("<RequestStatus/>")).body, "//Result") == "false");
}

TEST_CASE("other operations get a fault and are told by name") {
    Mode mode;
    const auto answer = mode.soap(call_of("GetUsers"), "svcUserAdmin");
    CHECK(answer.status == 500);
    CHECK_THAT(text_at(answer.body, "//faultstring"), Catch::Contains("svcuseradmin.GetUsers"));
    CHECK(mode.asked.back() == Asked{"svcuseradmin.GetUsers", GatewayModeOutcome::not_served});
    CHECK(mode.soap(call_of("GetSpoolMessageCount"), "svcUserAdmin").status == 500);
    const auto modern = mode.soap(envelope("<StopServices/>", "http://www.w3.org/2003/05/soap-envelope"));
    CHECK(modern.type == "application/soap+xml; charset=utf-8");
    CHECK_THAT(text_at(modern.body, "//soap:Text"), Catch::Contains("StopServices"));
    CHECK(mode.soap("<html>").status == 500);
    CHECK(mode.asked.back().outcome == GatewayModeOutcome::malformed);
}

TEST_CASE("the description names both operations and where they are") {
    Mode mode;
    const auto answer = mode.ask("GET", "/Services/svcServerAdmin.asmx?wsdl");
    REQUIRE(answer.status == 200);
    pugi::xml_document document;
    REQUIRE(document.load_string(answer.body.c_str()));
    const auto definitions = document.child("wsdl:definitions");
    CHECK(std::string(definitions.attribute("targetNamespace").value()) == "http://tempuri.org/");
    std::set<std::string> declared, used;
    for (const auto& found : document.select_nodes("//wsdl:message | //wsdl:binding | //wsdl:portType"))
        declared.insert(std::string("tns:") + found.node().attribute("name").value());
    for (const auto& found : document.select_nodes("//@message | //@binding | //wsdl:binding/@type"))
        used.insert(found.attribute().value());
    for (const auto& name : used) {
        CAPTURE(name);
        CHECK(declared.contains(name));
    }
    CHECK(document.select_nodes("//*[@location='https://gw1.example.net:9998/Services/svcServerAdmin.asmx']")
              .size() == 2);
    CHECK(document.select_nodes("//*[@soapAction='http://tempuri.org/GetSpoolMessageCount']").size() == 2);
    CHECK(mode.ask("GET", "/Services/svcServerAdmin.asmx").status == 404);
    CHECK(mode.ask("GET", "/Services/svcUserAdmin.asmx?wsdl").status == 404);
}

TEST_CASE("JSON bodies are read or refused") {
    CHECK(rest::parse_sign_in(R"({"username":"spool","password":"s","clientId":null})")->user == "spool");
    CHECK(rest::parse_refresh(R"({"token":"abc"})") == "abc");
    std::string deep(1000, '[');
    const auto body = GENERATE_COPY(values<std::string>(
        {"", "{}", "[]", "null", "{", R"({"username":"spool"})", R"({"username":"","password":"x"})",
         R"({"username":1,"password":"x"})", R"({"username":"a","password":null})",
         R"({"username":"a","password":")" + std::string(201, 'x') + R"("})",
         "{\"username\":\"\xff\",\"password\":\"x\"}", deep, R"({"username":)" + deep,
         R"({"username":"a","password":"b"} more)", "<html></html>"}));
    CAPTURE(body);
    CHECK_FALSE(rest::parse_sign_in(body));
    CHECK_FALSE(rest::parse_refresh(body));
}

TEST_CASE("signing in over REST, counting, renewing") {
    Mode mode;
    const auto answer = mode.rest("POST", "auth/authenticate-user", sign_in_of("spool", "secret"));
    REQUIRE(answer.status == 200);
    const auto first = json::parse(answer.body);
    CHECK(first["success"] == true);
    CHECK(first["isAdmin"] == true);
    CHECK(first["username"] == "spool@");
    CHECK(first["accessTokenExpiration"] == "2026-01-01T00:15:00.0000000Z");
    CHECK(first["refreshTokenExpiration"] == "2026-01-01T02:00:00.0000000Z");
    const std::string access = first["accessToken"];
    CHECK(std::count(access.begin(), access.end(), '.') == 2);
    const auto counted = mode.rest("GET", counts, "", access);
    CHECK(counted.status == 200);
    CHECK(json::parse(counted.body)["counts"]["default"] == 12);
    CHECK(mode.ask("GET", "//api/v1//Settings/SysAdmin/Spool-Message-Counts/", "", access).status == 200);

    const auto renewed =
        mode.rest("POST", "auth/refresh-token", json({{"token", first["refreshToken"]}}).dump());
    REQUIRE(renewed.status == 200);
    const auto second = json::parse(renewed.body);
    CHECK(mode.rest("GET", counts, "", second["accessToken"]).status == 200);
    CHECK(mode.rest("GET", counts, "", access).status == 401);  // both tokens of the first are spent
    CHECK(mode.rest("POST", "auth/refresh-token", json({{"token", first["refreshToken"]}}).dump()).status ==
          401);
    CHECK(mode.rest("POST", "auth/refresh-token", "{}").status == 400);
    mode.clock.step(Sessions::access_life);
    CHECK(mode.rest("GET", counts, "", second["accessToken"]).status == 401);
    CHECK(mode.rest("POST", "auth/refresh-token", json({{"token", second["refreshToken"]}}).dump()).status ==
          200);
}

TEST_CASE("without the right token, credentials or name REST says success: false") {
    Mode mode;
    const auto refused = [](const Answer& answer) { return json::parse(answer.body)["success"] == false; };
    const auto wrong = mode.rest("POST", "auth/authenticate-user", sign_in_of("spool", "wrong"));
    CHECK(wrong.status == 401);
    CHECK(refused(wrong));
    CHECK(json::parse(wrong.body)["message"] == "USERNAME_OR_PASSWORD_INCORRECT");
    CHECK(mode.rest("POST", "auth/authenticate-user", sign_in_of("Spool", "secret")).status == 401);
    CHECK(mode.rest("GET", counts).status == 401);
    CHECK(mode.rest("GET", counts, "", "a.b.c").status == 401);
    const auto other = mode.rest("GET", "settings/sysadmin/domains", "", "a.b.c");
    CHECK(other.status == 404);
    CHECK(refused(other));
    CHECK(mode.asked.back() == Asked{"GET settings/sysadmin/domains", GatewayModeOutcome::not_served});
    CHECK(mode.rest("POST", counts).status == 404);
    CHECK(mode.ask("GET", "/interface/root").status == 404);
    CHECK(mode.asked.back() == Asked{"GET /interface/root", GatewayModeOutcome::not_served});
}

TEST_CASE("other credentials end the sessions, the same do not") {
    Mode mode;
    const auto answer =
        json::parse(mode.rest("POST", "auth/authenticate-user", sign_in_of("spool", "secret")).body);
    mode.mode.reload("spool", Credentials("spool", "secret"));
    CHECK(mode.rest("GET", counts, "", answer["accessToken"]).status == 200);
    mode.mode.reload("spool", Credentials("spool", "another"));
    CHECK(mode.rest("GET", counts, "", answer["accessToken"]).status == 401);
    CHECK(text_at(mode.soap(call_of("GetSpoolMessageCount", "another")).body, "//Result") == "true");
}

TEST_CASE("credentials are the same only when both parts are") {
    CHECK(Credentials("ab", "c") == Credentials("ab", "c"));
    CHECK_FALSE(Credentials("a", "bc") == Credentials("ab", "c"));
    CHECK_FALSE(Credentials("a", "b") == Credentials("b", "a"));
    CHECK_FALSE(Credentials("", "") == Credentials());
}

TEST_CASE("after three failures even the right password has to wait") {
    Mode mode;
    for (int i = 0; i < 4; ++i)
        CHECK(text_at(mode.soap(call_of("RequestStatus", "no")).body, "//Message") == "Failed to log in.");
    CHECK(text_at(mode.soap(call_of("RequestStatus")).body, "//Message") == "Too many login attempts.");
    CHECK(mode.rest("POST", "auth/authenticate-user", sign_in_of("spool", "secret")).status == 401);
    mode.clock.step(std::chrono::seconds(1));
    CHECK(mode.rest("POST", "auth/authenticate-user", sign_in_of("spool", "secret")).status == 200);
}

TEST_CASE("waits double up to half a minute and end with success or quiet") {
    using std::chrono::seconds;
    LoginThrottle throttle;
    LoginThrottle::Time now{std::chrono::hours(5)};
    std::vector<std::int64_t> waits;
    for (int i = 0; i < 10; ++i) {
        throttle.failed("a", now);
        waits.push_back(throttle.wait("a", now).count());
    }
    CHECK(waits == std::vector<std::int64_t>{0, 0, 0, 1, 2, 4, 8, 16, 30, 30});
    CHECK(throttle.wait("b", now).count() == 0);
    CHECK(throttle.wait("a", now + seconds(30)).count() == 0);
    throttle.failed("a", now + seconds(30 + 601));
    CHECK(throttle.wait("a", now + seconds(30 + 601)).count() == 0);
    for (int i = 0; i < 5; ++i) throttle.failed("a", now + seconds(700));
    throttle.succeeded("a");
    CHECK(throttle.wait("a", now + seconds(700)).count() == 0);
}

TEST_CASE("the clients that are remembered stay few, the latest are kept") {
    LoginThrottle throttle;
    LoginThrottle::Time now{std::chrono::hours(5)};
    for (std::size_t i = 0; i <= LoginThrottle::most_clients; ++i) {
        now += std::chrono::milliseconds(1);
        for (int n = 0; n < 9; ++n) throttle.failed(std::to_string(i), now);
    }
    CHECK(throttle.wait("0", now).count() == 0);
    CHECK(throttle.wait("1", now).count() > 0);
    CHECK(throttle.wait(std::to_string(LoginThrottle::most_clients), now).count() > 0);
}

TEST_CASE("tokens end in time, and stay few") {
    Sessions sessions;
    const Sessions::Time now = std::chrono::sys_days(std::chrono::year(2026) / 1 / 1);
    const auto first = sessions.begin(now);
    CHECK(sessions.valid(first.access, now + std::chrono::minutes(14)));
    CHECK_FALSE(sessions.valid(first.access, now + std::chrono::minutes(15)));
    CHECK_FALSE(sessions.valid(first.refresh, now));
    CHECK_FALSE(sessions.valid("", now));
    CHECK_FALSE(sessions.renew(first.access, now));
    CHECK_FALSE(sessions.renew(first.refresh, now + std::chrono::minutes(120)));
    const auto second = sessions.renew(first.refresh, now + std::chrono::minutes(60));
    REQUIRE(second);
    CHECK(second->access != first.access);
    CHECK(sessions.valid(second->access, now + std::chrono::minutes(74)));
    for (std::size_t i = 0; i < Sessions::most; ++i) sessions.begin(now + std::chrono::minutes(61));
    CHECK_FALSE(sessions.valid(second->access, now + std::chrono::minutes(62)));
}
