#include "sync/soap/soap_reply.h"

#include <catch2/catch.hpp>
#include <random>

#include "sync/soap/soap_text.h"
#include "tests/unit/sync/fixture.h"
#include "tests/unit/sync/soap/soap_envelope.h"

using namespace postern::sync;
using namespace postern::tests;
using namespace std::chrono_literals;

namespace {

const std::string user =
    "<UserInfo><UserName>Alice@example.com</UserName><Password>hush</Password></UserInfo>";

Failure failure_of(soap::Reply reply) {
    const auto users = soap::parse_users(std::move(reply));
    REQUIRE_FALSE(users);
    return users.error();
}

}  // namespace

TEST_CASE("lists are read", "[soap]") {
    const auto users = soap::parse_users(
        reply(good("GetUsers", "<Users>" + user + "<UserInfo><UserName>bob</UserName></UserInfo></Users>")));
    REQUIRE(users);
    CHECK(names(*users, Kind::user) == std::vector<std::string>{"alice", "bob"});

    const auto domains =
        soap::parse_domains(reply(good("GetAllDomains",
                                       "<DomainNames><string>Example.COM</string>"
                                       "<string>b&#252;cher.example</string></DomainNames>")));
    REQUIRE(domains);
    REQUIRE(domains->size() == 2);
    CHECK((*domains)[0].name == "example.com");
    CHECK((*domains)[0].spelling == "Example.COM");
    CHECK_FALSE((*domains)[0].enabled);
    CHECK((*domains)[1].name == "xn--bcher-kva.example");

    const auto all = soap::parse_all_domain_aliases(reply(
        good("GetAllDomainAliases",
             "<DomainAliases><DomainAliasInfo><Name>Example.org</Name><DomainName>EXAMPLE.com</DomainName>"
             "</DomainAliasInfo></DomainAliases>")));
    REQUIRE(all);
    CHECK(all->at("example.com") == soap::Names{"example.org"});

    const auto aliases = soap::parse_aliases(
        reply(good("GetAliases",
                   "<AliasInfos><AliasInfo><Name>sales</Name><Addresses><string>x</string></Addresses>"
                   "</AliasInfo></AliasInfos>")));
    REQUIRE(aliases);
    CHECK(names(*aliases, Kind::alias) == std::vector<std::string>{"sales"});

    const auto lists = soap::parse_lists(
        reply(good("GetMailingListsByDomain", "<listNames><string>News</string></listNames>")));
    REQUIRE(lists);
    CHECK(*lists == soap::Names{"news"});

    const auto none = soap::parse_users(reply(good("GetUsers", "<Users />")));
    REQUIRE(none);
    CHECK(none->empty());
}

TEST_CASE("settings are split at the first equals sign, and only wanted ones are kept", "[soap]") {
    const auto settings = soap::parse_settings(
        reply(good("GetRequestedUserSettings",
                   "<settingValues><string>IsEnabled=True</string><string>password=hush</string>"
                   "<string>catchall=a=b</string><string>odd</string></settingValues>")),
        "GetRequestedUserSettings", {"isenabled", "catchall"});
    REQUIRE(settings);
    CHECK(*settings == soap::SettingValues{{"isenabled", "True"}, {"catchall", "a=b"}});
    CHECK(soap::parse_switch("True") == true);
    CHECK(soap::parse_switch("Disabled") == false);
    CHECK(soap::parse_switch("enabled") == true);
    CHECK_FALSE(soap::parse_switch("perhaps"));
}

TEST_CASE("the list command address", "[soap]") {
    const auto parse = [](const std::string& payload) {
        return soap::parse_list_command(reply(good("GetListCommandAddress", payload)));
    };
    CHECK(parse("<commandAddress>stserv@example.com</commandAddress>").value() == "stserv");
    CHECK(parse("<commandAddress />").value().empty());
    CHECK_FALSE(parse(""));
}

TEST_CASE("prefixes, comments, CDATA and a byte order mark do not matter", "[soap]") {
    const std::string body =
        "\xef\xbb\xbf<?xml version=\"1.0\"?><!-- &odd; --><S:Envelope xmlns:S=\"s\"><S:Body>"
        "<t:GetUsersResponse xmlns:t=\"http://tempuri.org/\"><t:GetUsersResult><t:Result> true </t:Result>"
        "<t:ResultCode>0</t:ResultCode><t:Users><t:UserInfo><t:UserName><![CDATA[r&d;]]></t:UserName>"
        "</t:UserInfo></t:Users></t:GetUsersResult></t:GetUsersResponse></S:Body></S:Envelope>\r\n";
    const auto users = soap::parse_users(reply(body));
    REQUIRE(users);
    CHECK(names(*users, Kind::user) == std::vector<std::string>{"r&d;"});
}

TEST_CASE("what cannot be read changes nothing", "[soap]") {
    const std::string whole = good("GetUsers", "<Users>" + user + "</Users>");
    REQUIRE(soap::parse_users(reply(whole)));
    const auto with = [&](const std::string& from, const std::string& to) {
        std::string body = whole;
        body.replace(body.find(from), from.size(), to);
        return body;
    };
    struct Case {
        const char* name;
        std::string body;
    };
    const std::string opening = "<soap:Envelope", declaration = "<?xml version=\"1.0\" encoding=\"utf-8\"?>";
    const std::string dtd = "<!DOCTYPE a [<!ENTITY x \"alice\">]>";
    const std::vector<Case> cases{
        {"empty", ""},
        {"a web page", "<html><body>Welcome</body></html>"},
        {"a page with a document type", "<!DOCTYPE html><html></html>"},
        {"JSON", R"({"success":true})"},
        {"another answer", good("GetUser", "<Users />")},
        {"another document", "<a />"},
        {"no list", good("GetUsers", "")},
        {"a nil list", good("GetUsers", "<Users xsi:nil=\"true\" />")},
        {"a list that is text", good("GetUsers", "<Users>alice</Users>")},
        {"a nil entry", good("GetUsers", "<Users>" + user + "<UserInfo xsi:nil=\"1\" /></Users>")},
        {"an entry without a name", good("GetUsers", "<Users>" + user + "<UserInfo /></Users>")},
        {"a nil name", good("GetUsers", "<Users><UserInfo><UserName xsi:nil=\"true\"/></UserInfo></Users>")},
        {"an entry of another kind", good("GetUsers", "<Users><string>alice</string></Users>")},
        {"a name in pieces", with("Alice@", "Al<!-- x -->ice@")},
        {"a name with an element", with("Alice@", "Al<b/>ice@")},
        {"no result", result("GetUsers", "<Users>" + user + "</Users>")},
        {"an odd result", with("<Result>true", "<Result>perhaps")},
        {"success with a code", with("<ResultCode>0", "<ResultCode>-7")},
        {"two roots", whole + "<a />"},
        {"text after the root", whole + "alice"},
        {"text before the root", "alice" + whole},
        {"a document type", with(declaration, declaration + dtd)},
        {"an entity of its own", with("Alice", "&x;")},
        {"a document type with its entity", with("Alice", "&x;").replace(0, declaration.size(), dtd)},
        {"a NUL", with("Alice", std::string("Al\0ce", 5))},
        {"a reference to NUL", with("Alice", "Al&#0;ce")},
        {"a bare ampersand", with("Alice", "A & B")},
        {"invalid UTF-8", with("Alice",
                               "Al\xff"
                               "ce")},
        {"a surrogate", with("Alice", "\xed\xa0\x80")},
        {"an overlong form", with("Alice", "\xc0\xaf")},
        {"a character cut short", whole + "\xe2\x82"},
        {"UTF-16", std::string("\xff\xfe<\0a\0/\0>\0", 10)},
        {"a mismatched end", with("</UserInfo>", "</User>")},
    };
    for (const Case& each : cases) {
        INFO(each.name);
        CHECK(failure_of(reply(each.body)).fault == Fault::unreadable);
    }
    for (std::size_t size = 0; size < whole.size(); ++size) {
        INFO(size);
        CHECK(failure_of(reply(whole.substr(0, size))).fault == Fault::unreadable);
    }
}

TEST_CASE("a hostile reply costs little", "[soap]") {
    CHECK(soap::objection("<a/><a/><a/>", 2) == "it has more elements than allowed");
    CHECK(soap::objection("<a b='' c=''/>", 2) == "it has more elements than allowed");
    CHECK(soap::objection("<a></a><b></b>", 2).empty());
    std::string many = "<a>";
    for (int i = 0; i < 2'100'000; ++i) many += "<a/>";
    CHECK(failure_of(reply(many + "</a>")).words.find("more elements") != std::string::npos);
    std::string deep;
    for (int i = 0; i < 1'000'000; ++i) deep += "<a>";
    CHECK(failure_of(reply(deep)).fault == Fault::unreadable);
}

TEST_CASE("damaged replies are survived", "[soap]") {
    const std::string whole = good("GetUsers", "<Users>" + user + user + "</Users>");
    const std::vector<std::string> pieces{"<",   ">",  "/",          "&",         "&#",   ";", "\"",   "<!--",
                                          "]]>", "<?", "<!DOCTYPE ", "<![CDATA[", "\x01", "=", "\xff", "<a>"};
    const auto seed = std::random_device{}();
    INFO("seed " << seed);
    std::mt19937 random(seed);
    for (int i = 0; i < 3000; ++i) {
        std::string body = whole;
        for (auto changes = random() % 4 + 1; changes > 0; --changes) {
            const std::size_t at = random() % body.size(), size = random() % 12;
            body.replace(at, size, random() % 2 ? pieces[random() % pieces.size()] : std::string());
        }
        const auto users = soap::parse_users(reply(body));
        if (users) CHECK(users->size() <= 2);
        CHECK_FALSE(soap::parse_domains(reply(body)));
    }
}

TEST_CASE("an entry that cannot be an address is left out", "[soap]") {
    const auto users = soap::parse_users(reply(
        good("GetUsers", "<Users>" + user + "<UserInfo><UserName>a&#1;b</UserName></UserInfo></Users>")));
    REQUIRE(users);
    CHECK(users->size() == 1);
}

TEST_CASE("what a refusal means", "[soap]") {
    const auto of = [](const std::string& message, int code = -1, int status = 200) {
        return failure_of(reply(bad("GetUsers", message, code), status));
    };
    CHECK(of("Failed to log in.").fault == Fault::credentials);
    CHECK(of("Failed to log in.", -1, 500).fault == Fault::credentials);
    CHECK(of("Invalid login information", 0).fault == Fault::credentials);
    CHECK(of("Domain not found.").fault == Fault::refused);
    CHECK(of("Domain not found.").words == "\"Domain not found.\"");
    CHECK(of("").words == "result code -1");
    CHECK(of("Too many login attempts").fault == Fault::busy);
    CHECK(of("Too many login attempts").retry_after >= 20min);
    CHECK(of(std::string(5000, 'x') + "log in").words.size() < 300);
    CHECK(of("bad\nline").words == "\"bad line\"");
    // nothing but the credentials was there to be refused
    const auto domains = [](const std::string& message, int code) {
        return soap::parse_domains(reply(bad("GetAllDomains", message, code))).error().fault;
    };
    CHECK(domains("Anmeldung fehlgeschlagen", -1) == Fault::credentials);
    CHECK(domains("You do not have permission", -9) == Fault::credentials);
    CHECK(domains("Object reference not set to an instance of an object", -9) == Fault::refused);
}

TEST_CASE("faults and HTTP statuses", "[soap]") {
    const std::string old_fault = envelope(
        "<soap:Fault><faultcode>soap:Client</faultcode><faultstring>Server did not recognize the value"
        "</faultstring><detail /></soap:Fault>");
    CHECK(failure_of(reply(old_fault, 500)).fault == Fault::refused);
    CHECK(failure_of(reply(old_fault, 500)).words == "fault \"Server did not recognize the value\"");
    const std::string new_fault = envelope(
        "<soap:Fault><soap:Code/><soap:Reason><soap:Text xml:lang=\"en\">no</soap:Text></soap:Reason>"
        "</soap:Fault>");
    CHECK(failure_of(reply(new_fault, 500)).words == "fault \"no\"");
    const std::string page = "<html><body>x</body></html>", users = good("GetUsers", "<Users />");
    CHECK(failure_of(reply(page, 500)).fault == Fault::busy);
    CHECK(failure_of(reply(page, 404)).fault == Fault::refused);
    CHECK(failure_of(reply(page, 302)).words.find("HTTP status 302") != std::string::npos);
    CHECK(failure_of(reply(page, 302)).fault == Fault::unreadable);
    CHECK(failure_of(reply(users, 503)).fault == Fault::busy);
    CHECK(failure_of(reply(users, 429)).fault == Fault::busy);
    CHECK(failure_of(reply(users, 400)).fault == Fault::unreadable);
    CHECK(failure_of(reply("Too many login attempts", 401)).fault == Fault::busy);
    CHECK(failure_of(reply(page, 403)).retry_after >= 20min);
    CHECK(failure_of({503, "", 7s}).retry_after == 7s);
}

TEST_CASE("a description of the web services", "[soap]") {
    const std::string wsdl =
        "<wsdl:definitions xmlns:wsdl=\"http://schemas.xmlsoap.org/wsdl/\" "
        "targetNamespace=\"http://tempuri.org/\"></wsdl:definitions>";
    CHECK(soap::parse_wsdl(reply(wsdl)));
    CHECK_FALSE(soap::parse_wsdl(reply(wsdl, 500)));
    CHECK_FALSE(soap::parse_wsdl(reply("<definitions targetNamespace=\"http://other.example/\" />")));
    CHECK_FALSE(soap::parse_wsdl(reply("<html></html>")));
    CHECK(soap::parse_wsdl(reply("<html></html>", 404)).error().fault == Fault::refused);
}
