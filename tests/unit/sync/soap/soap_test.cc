#include "sync/soap/soap.h"

#include <catch2/catch.hpp>

#include "tests/support/primary_double.h"
#include "tests/unit/sync/fixture.h"
#include "tests/unit/sync/soap/soap_envelope.h"

using namespace postern::sync;
using namespace postern::tests;
using namespace std::chrono_literals;

namespace {

using Names = std::vector<std::string>;

/// A primary of the older generation and a client for it.
struct Pair {
    explicit Pair(Json world = example_world()) : primary(std::move(world)) {
        primary.set_switches({{"soap", true}, {"rest", false}});
        settings.name = "main";
        settings.url = primary.url();
        settings.username = "gateway";
        settings.password_file = folder.write("password", "secret\n");
        settings.gap = 0ms;
        settings.api = "soap";
        client = std::make_unique<Soap>(settings, machine, std::stop_token());
    }

    Result<DomainReading> read(const std::string& name, const DomainRecord& known = {}) {
        DomainRecord record = known;
        record.spelling = name;
        return client->read(record);
    }
    std::size_t seen(const std::string& path) const {
        std::size_t count = 0;
        const Json log = primary.requests();
        for (const Json& request : log["requests"])
            count += request["path"].get<std::string>().starts_with(path) ? 1 : 0;
        return count;
    }

    Folder folder;
    PrimaryDouble primary;
    PrimarySettings settings;
    std::unique_ptr<Soap> client;
};

void check_example_com(Pair& pair) {
    const auto reading = pair.read("example.com");
    REQUIRE(reading);
    REQUIRE(reading->users);
    CHECK(names(*reading->users, Kind::user) == Names{"alice", "bob"});
    CHECK(names(*reading->users, Kind::user_disabled) == Names{"carol", "dave"});
    REQUIRE(reading->aliases);
    CHECK(names(*reading->aliases, Kind::alias) == Names{"sales", "info"});
    REQUIRE(reading->lists);
    CHECK(names(*reading->lists, Kind::mailing_list) == Names{"news"});
    REQUIRE(reading->domain_aliases);
    CHECK(*reading->domain_aliases == Names{"example.org"});
    REQUIRE(reading->options);
    CHECK(reading->options->enabled == true);
    CHECK(reading->options->catch_all.empty());
    CHECK(reading->options->list_command == "listserv");
    CHECK_FALSE(reading->resources);
}

Json many_users(int count) {
    Json users = Json::array();
    for (int i = 0; i < count; ++i) users.push_back("u" + std::to_string(1000 + i));
    return {{"admin", {{"user", "gateway"}, {"password", "secret"}}},
            {"domains", {{{"name", "example.com"}, {"users", users}}}}};
}

constexpr const char* user_settings = "services/svcuseradmin.asmx/getrequestedusersettings";

}  // namespace

TEST_CASE("everything about an older primary is learned", "[soap]") {
    Pair pair;
    const auto listed = pair.client->domains();
    REQUIRE(listed);
    REQUIRE(listed->size() == 3);
    CHECK((*listed)[0].name == "disabled.example");
    CHECK_FALSE((*listed)[0].enabled);
    check_example_com(pair);
    CHECK(pair.seen("services/svcdomainaliasadmin.asmx") == 0);  // one call for all of them
    CHECK(pair.seen("services/svcmaillistadmin.asmx/getlistcommandaddress") == 0);
    const auto net = pair.read("example.net");
    REQUIRE(net);
    CHECK(net->options->catch_all == "erin");
    CHECK(net->options->list_command.empty());
    CHECK(net->aliases->empty());
    CHECK(net->domain_aliases->empty());
    const auto disabled = pair.read("disabled.example");
    REQUIRE(disabled);
    CHECK(disabled->options->enabled == false);
    CHECK_FALSE(disabled->users);
    CHECK(pair.client->requests() == pair.primary.requests()["count"]);
    CHECK(pair.client->probe());
}

TEST_CASE("what a primary may do differently", "[soap]") {
    Pair pair;
    SECTION("version 5.x") {
        pair.primary.set_switches({{"soap_version", "5.x"}});
        REQUIRE(pair.client->domains());
        check_example_com(pair);
        CHECK(pair.seen("services/svcdomainaliasadmin.asmx/getaliases") == 1);
        REQUIRE(pair.read("example.net"));
        CHECK(pair.seen("services/svcdomainadmin.asmx/getdomainusers") == 1);  // not asked for again
    }
    SECTION("bare user names") { pair.primary.set_switches({{"bare_user_names", true}}); }
    SECTION("no message on success") { pair.primary.set_switches({{"soap_success_message", nullptr}}); }
    SECTION("some message on success") { pair.primary.set_switches({{"soap_success_message", "OK"}}); }
    SECTION("GetDomainUsers with bare names") { pair.primary.set_switches({{"domain_users", "bare"}}); }
    SECTION("and aliases") { pair.primary.set_switches({{"domain_users", "bare+aliases"}}); }
    SECTION("and full names") { pair.primary.set_switches({{"domain_users", "full+aliases"}}); }
    SECTION("a setting is not known") {
        pair.primary.set_switches({{"soap_unknown_settings", {"enablecatchalls"}}});
    }
    SECTION("asking for one fails") {
        pair.primary.set_switches(
            {{"soap_unknown_settings", {"enablecatchalls"}}, {"soap_unknown_setting_fails", true}});
        check_example_com(pair);
        CHECK(pair.seen("services/svcdomainadmin.asmx/getrequesteddomainsettings") == 5);
        pair.primary.forget_requests();
        REQUIRE(pair.read("example.net"));
        CHECK(pair.seen("services/svcdomainadmin.asmx/getrequesteddomainsettings") == 4);
    }
    SECTION("the list command address is elsewhere") {
        pair.primary.set_switches({{"list_command_in_settings", false}});
    }
    check_example_com(pair);
}

TEST_CASE("a catch-all counts only where it is allowed", "[soap]") {
    Json world = example_world();
    world["domains"][1]["enable_catch_alls"] = false;
    Pair pair(world);
    CHECK(pair.read("example.net")->options->catch_all.empty());
    pair.primary.set_switches({{"soap_unknown_settings", {"catchall"}}});
    CHECK_FALSE(pair.read("example.net")->options);
    pair.primary.set_switches({{"soap_unknown_settings", {"enablecatchalls"}}});
    CHECK(pair.read("example.net")->options->catch_all == "erin");
}

TEST_CASE("GetDomainUsers adds and never takes away", "[soap]") {
    Json world = example_world();
    world["domains"][0]["domain_users_only"] = {"extra"};
    Pair pair(world);
    for (const char* flavour : {"full", "bare", "full+aliases", "bare+aliases"}) {
        INFO(flavour);
        pair.primary.set_switches({{"domain_users", flavour}});
        const auto reading = pair.read("example.com");
        REQUIRE(reading);
        CHECK(names(*reading->users, Kind::user) == Names{"alice", "bob", "extra"});
        CHECK(names(*reading->users, Kind::user_disabled) == Names{"carol", "dave"});
        CHECK(names(*reading->lists, Kind::mailing_list) == Names{"news"});
    }
    for (const char* how :
         {"html", "cut"}) {  // that is no answer: who is only there is not known, and not gone
        INFO(how);
        REQUIRE(pair.client->domains());
        pair.primary.set_switches(
            {{"domain_users", "full"}, {how, {"services/svcdomainadmin.asmx/getdomainusers"}}});
        CHECK_FALSE(pair.read("example.com")->users);
        pair.primary.set_switches({{how, Json::array()}});
    }
    pair.primary.set_switches({{"soap_missing", {"AliasInfos"}}});
    const auto reading = pair.read("example.com");
    CHECK_FALSE(reading->aliases);
    CHECK(names(*reading->users, Kind::user) == Names{"alice", "bob"});  // an alias might pass for a user
}

TEST_CASE("what cannot be read of a domain says so and leaves the rest", "[soap]") {
    Pair pair;
    REQUIRE(pair.client->domains());
    const auto part = [&](const Json& switches) {
        pair.primary.set_switches(switches);
        const auto reading = pair.read("example.com");
        REQUIRE(reading);
        CHECK(reading->options);
        CHECK(reading->lists);
        return reading->users ? Failure{Fault::interrupted, {}, {}} : reading->users.error();
    };
    const std::string users = "services/svcuseradmin.asmx/getusers";
    CHECK(part({{"soap_missing", {"Users"}}}).words == "a reply without Users");
    CHECK(part({{"soap_missing", Json::array()}, {"soap_nil", {"Users"}}}).fault == Fault::unreadable);
    CHECK(part({{"soap_nil", Json::array()}, {"html", {users}}}).words == "no SOAP reply: it is a web page");
    CHECK(part({{"html", Json::array()}, {"cut", {users}}}).words ==
          "no SOAP reply: it is cut short or damaged");
    CHECK(part({{"cut", Json::array()}, {"soap_refused", {{"GetUsers", "Out of order"}}}}).words ==
          "\"Out of order\"");
    CHECK(part({{"soap_refused", Json::object()},
                {"canned",
                 {{users,
                   {{"type", "text/xml"},
                    {"body", "<!DOCTYPE a [<!ENTITY b \"c\">]>" + good("GetUsers", "<Users />")}}}}}})
              .words == "no SOAP reply: it has a document type of its own");
    pair.primary.set_switches({{"canned", Json::object()}, {"truncate", {users}}});
    const auto cut_off = pair.read("example.com");
    REQUIRE_FALSE(cut_off);
    CHECK(cut_off.error().fault == Fault::unreachable);
    pair.primary.set_switches({{"truncate", Json::array()}, {"starting", true}, {"retry_after", 9}});
    const auto starting = pair.client->domains();
    REQUIRE_FALSE(starting);
    CHECK(starting.error().fault == Fault::busy);
    CHECK(starting.error().retry_after == 9s);
    pair.primary.set_switches({{"starting", false}});
    check_example_com(pair);
}

TEST_CASE("refused credentials are shown a few times at most", "[soap]") {
    Pair pair;
    pair.folder.write("password", "wrong");
    SECTION("as documented") {}
    SECTION("in later versions") {
        pair.primary.set_switches(
            {{"soap_login_message", "Invalid login information"}, {"soap_login_code", 0}});
    }
    SECTION("in another language") {
        pair.primary.set_switches({{"soap_login_message", "Anmeldung fehlgeschlagen"}});
    }
    for (int i = 0; i < 4; ++i) {
        const auto listed = pair.client->domains();
        REQUIRE_FALSE(listed);
        CHECK(listed.error().fault == Fault::credentials);
    }
    const auto listed = pair.client->domains();
    REQUIRE_FALSE(listed);
    CHECK(listed.error().fault == Fault::busy);
    CHECK(pair.primary.requests()["count"] == 4);
}

TEST_CASE("a password that changes in the middle of a round ends it at once", "[soap]") {
    Pair pair;
    REQUIRE(pair.client->domains());
    pair.folder.write("password", "wrong");
    pair.primary.forget_requests();
    const auto reading = pair.read("example.com");
    REQUIRE_FALSE(reading);
    CHECK(reading.error().fault == Fault::credentials);
    CHECK(pair.primary.requests()["count"] == 1);
    std::filesystem::remove(pair.settings.password_file);
    const auto unread = pair.read("example.com");
    REQUIRE_FALSE(unread);
    CHECK(unread.error().fault == Fault::credentials);
    CHECK(pair.primary.requests()["count"] == 1);
}

TEST_CASE("a primary that counts attempts is left alone", "[soap]") {
    Pair pair;
    pair.primary.set_switches({{"ids_after", 1}});
    pair.folder.write("password", "wrong");
    CHECK(pair.client->domains().error().fault == Fault::credentials);
    const auto listed = pair.client->domains();
    REQUIRE_FALSE(listed);
    CHECK(listed.error().fault == Fault::busy);
    CHECK(listed.error().retry_after >= 20min);
}

TEST_CASE("users' states: new ones first, then all of them in turn, a bounded number at a time", "[soap]") {
    Pair pair(many_users(120));
    const auto round = [&](const DomainRecord& known) {
        REQUIRE(pair.client->domains());
        pair.primary.forget_requests();
        const auto reading = pair.read("example.com", known);
        REQUIRE(reading);
        REQUIRE(reading->users);
        DomainRecord record = known;
        record.users = {*reading->users, at(1000)};
        return record;
    };
    DomainRecord record = round({});
    CHECK(record.users.content.size() == 120);
    CHECK(pair.seen(user_settings) == 50);
    Json world = many_users(120);
    world["domains"][0]["users"][110] = {{"name", "u1110"}, {"enabled", false}};
    world["domains"][0]["users"].push_back({{"name", "new"}, {"enabled", false}});
    pair.primary.set_world(world);
    pair.primary.set_switches({{"soap", true}});
    record = round(record);
    CHECK(pair.seen(user_settings) == 51);
    CHECK(names(record.users.content, Kind::user_disabled) == Names{"new"});
    record = round(record);
    record = round(record);
    CHECK(pair.seen(user_settings) == 50);
    CHECK(names(record.users.content, Kind::user_disabled) == Names{"u1110", "new"});
    pair.primary.set_world(many_users(121));
    pair.primary.set_switches({{"soap", true}});
    for (int i = 0; i < 3; ++i) record = round(record);
    CHECK(names(record.users.content, Kind::user_disabled).empty());
    pair.primary.set_switches({{"soap_refused", {{"GetRequestedUserSettings", "no"}}}});
    record = round(record);
    CHECK(pair.seen(user_settings) == 3);
    CHECK(record.users.content.size() == 121);
}

TEST_CASE("disabled lists stay out", "[soap]") {
    Pair pair;
    DomainRecord known;
    for (int i = 0; i < 3; ++i) {
        const auto reading = pair.read("example.com", known);
        REQUIRE(reading);
        CHECK(names(*reading->lists, Kind::mailing_list) == Names{"news"});
        known.lists = {*reading->lists, at(1000)};
    }
    Json world = example_world();
    world["domains"][0]["lists"] = {{{"name", "news"}, {"disabled", true}}, "closed"};
    pair.primary.set_world(world);
    pair.primary.set_switches({{"soap", true}});
    REQUIRE(pair.client->domains());
    CHECK(names(*pair.read("example.com", known)->lists, Kind::mailing_list) == Names{"closed"});
}

TEST_CASE("a single address of an older primary", "[soap]") {
    Pair pair;
    const auto soon = [] { return std::chrono::steady_clock::now() + 1h; };
    const auto kind = [&](const char* local_part) {
        const auto answer = pair.client->look_up(local_part, "example.com", soon());
        REQUIRE(answer);
        return *answer;
    };
    CHECK(kind("Alice") == Kind::user);
    CHECK(pair.primary.requests()["count"] == 1);
    CHECK(kind("carol") == Kind::user_disabled);
    CHECK(kind("sales") == Kind::alias);
    CHECK(kind("news") == Kind::mailing_list);
    CHECK(kind("closed") == std::nullopt);
    CHECK(kind("listserv") == Kind::list_command);
    CHECK(kind("nobody") == std::nullopt);
    CHECK(pair.client->look_up("nobody", "elsewhere.example", soon()).error().fault == Fault::refused);
    pair.primary.forget_requests();
    CHECK(pair.client->look_up("nobody", "example.com", {}).error().fault == Fault::unreachable);
    CHECK(pair.primary.requests()["count"] == 1);
    for (const Json& spoilt : {Json{{"soap_missing", {"AliasInfos"}}}, Json{{"soap_missing", {"listNames"}}},
                               Json{{"cut", {"services/svcmaillistadmin"}}}, Json{{"starting", true}},
                               Json{{"html", true}}, Json{{"html", {"services/svcaliasadmin"}}}}) {
        INFO(spoilt.dump());
        pair.primary.set_world(example_world());
        pair.primary.set_switches({{"soap", true},
                                   {"soap_missing", Json::array()},
                                   {"cut", Json::array()},
                                   {"html", Json::array()}});
        pair.primary.set_switches(spoilt);
        CHECK_FALSE(pair.client->look_up("nobody", "example.com", soon()));
    }
}
