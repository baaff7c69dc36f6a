#include "sync/rest/rest.h"

#include <catch2/catch.hpp>

#include "tests/support/primary_double.h"
#include "tests/unit/sync/fixture.h"
#include "tests/unit/sync/primary/certificate.h"

using namespace postern::sync;
using namespace postern::tests;
using namespace std::chrono_literals;

namespace {

/// A primary and a client for it.
struct Pair {
    explicit Pair(Json world = example_world()) : primary(std::move(world)) {
        settings.name = "main";
        settings.url = primary.url();
        settings.username = "gateway";
        settings.password_file = folder.write("password", "secret\n");
        settings.gap = 0ms;
        connect();
    }
    void connect() { client = std::make_unique<Rest>(settings, "postern-test", machine, std::stop_token()); }

    DomainRecord record(const std::string& name) const {
        DomainRecord known;
        known.spelling = name;
        return known;
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
    std::unique_ptr<Rest> client;
};

using Names = std::vector<std::string>;

void check_example_com(Rest& client) {
    DomainRecord known;
    known.spelling = "example.com";
    const auto reading = client.read(known);
    REQUIRE(reading);
    REQUIRE(reading->users);
    CHECK(names(*reading->users, Kind::user) == Names{"alice", "bob"});
    CHECK(names(*reading->users, Kind::user_disabled) == Names{"carol"});
    CHECK(names(*reading->users, Kind::user_receiving) == Names{"dave"});
    REQUIRE(reading->aliases);
    CHECK(names(*reading->aliases, Kind::alias) == Names{"sales", "info"});
    REQUIRE(reading->lists);
    CHECK(names(*reading->lists, Kind::mailing_list) == Names{"news"});
    REQUIRE(reading->resources);
    CHECK(names(*reading->resources, Kind::resource) == Names{"room1"});
    REQUIRE(reading->domain_aliases);
    CHECK(*reading->domain_aliases == Names{"example.org"});
    REQUIRE(reading->options);
    CHECK(reading->options->catch_all.empty());
    CHECK(reading->options->list_command == "listserv");
}

}  // namespace

TEST_CASE("everything about a primary is learned", "[rest]") {
    Pair pair;
    const auto listed = pair.client->domains();
    REQUIRE(listed);
    REQUIRE(listed->size() == 3);
    CHECK((*listed)[0].name == "disabled.example");
    CHECK((*listed)[0].enabled == false);
    CHECK((*listed)[1].name == "example.com");
    CHECK((*listed)[1].enabled == true);
    check_example_com(*pair.client);
    const auto net = pair.client->read(pair.record("example.net"));
    REQUIRE(net);
    CHECK(net->options->catch_all == "erin");
    CHECK(net->options->list_command.empty());
    CHECK(net->aliases->empty());
    CHECK(pair.primary.requests()["sign_ins"] == 1);
    CHECK(pair.primary.requests()["requests"][0]["client_id"] == "postern-test");
    CHECK(pair.client->requests() == pair.primary.requests()["count"]);
}

TEST_CASE("over HTTPS and below a path prefix", "[rest]") {
    const Folder folder;
    write_certificate(folder.path() / "cert.pem", folder.path() / "key.pem", "test", "IP:127.0.0.1");
    PrimaryDouble primary(example_world(), 0,
                          PrimaryDouble::Tls{folder.path() / "cert.pem", folder.path() / "key.pem"});
    PrimarySettings settings;
    settings.url = primary.url() + "/mail/";
    settings.username = "gateway";
    settings.password_file = folder.write("password", "secret");
    settings.ca_file = folder.path() / "cert.pem";
    settings.gap = 0ms;
    Rest client(settings, "postern-test", machine, {});
    REQUIRE(client.domains());
    check_example_com(client);
}

TEST_CASE("the ways into a domain", "[rest]") {
    Pair pair;
    SECTION("the header") {
        check_example_com(*pair.client);
        CHECK(pair.seen("settings/sysadmin/manage-domain") == 0);
    }
    SECTION("manage-domain") {
        pair.primary.set_switches({{"header_context", false}});
        check_example_com(*pair.client);
        CHECK(pair.seen("settings/sysadmin/manage-domain") == 1);
        CHECK(pair.seen("settings/domain/impersonate-user") == 0);
        REQUIRE(pair.client->read(pair.record("example.net"))->aliases);
        CHECK(pair.seen("settings/sysadmin/manage-domain") == 2);
        CHECK(pair.seen("settings/domain/domain-aliases") == 3);  // the header is not tried again
    }
    SECTION("impersonation") {
        pair.primary.set_switches(
            {{"header_context", false}, {"manage_context", false}, {"failure_status", 200}});
        check_example_com(*pair.client);
        CHECK(pair.seen("settings/domain/impersonate-user") == 1);
    }
    SECTION("none") {
        pair.primary.set_switches(
            {{"header_context", false}, {"manage_context", false}, {"impersonate_context", false}});
        const auto reading = pair.client->read(pair.record("example.com"));
        REQUIRE(reading);
        CHECK(reading->users);  // the administrator's own list
        CHECK_FALSE(reading->aliases);
        CHECK(reading->aliases.error().fault == Fault::refused);
    }
}

TEST_CASE("oddities of the primary", "[rest]") {
    Pair pair;
    SECTION("failures with status 200, old envelope") {
        pair.primary.set_switches({{"failure_status", 200}, {"envelope", "old"}});
        check_example_com(*pair.client);
        CHECK_FALSE(pair.client->read(pair.record("missing.example"))->users);
    }
    SECTION("mixed types and short pages") {
        pair.primary.set_switches({{"mixed_types", true}, {"page_cap", 1}});
        check_example_com(*pair.client);
    }
    SECTION("skip is ignored") {
        pair.primary.set_switches({{"ignore_skip", true}});
        check_example_com(*pair.client);
    }
    SECTION("no account search: the alias grid") {
        pair.primary.set_switches({{"account_search", false}});
        const auto reading = pair.client->read(pair.record("example.com"));
        REQUIRE(reading->aliases);
        CHECK(names(*reading->aliases, Kind::alias) == Names{"sales", "info", "retired"});
        pair.primary.set_switches({{"empty_grid_text", true}});
        CHECK(pair.client->read(pair.record("example.net"))->aliases->empty());
    }
    SECTION("only a status in the domain list") {
        pair.primary.set_switches({{"domain_is_enabled", false}});
        CHECK((*pair.client->domains())[0].enabled == false);
        pair.primary.set_switches({{"domain_status", false}});
        CHECK((*pair.client->domains())[0].enabled == std::nullopt);
        const auto disabled = pair.client->read(pair.record("disabled.example"));
        REQUIRE(disabled);
        CHECK(disabled->options->enabled == false);
    }
    SECTION("a build without resources") {
        pair.primary.set_switches({{"resources", false}});
        const auto reading = pair.client->read(pair.record("example.com"));
        CHECK_FALSE(reading->resources);
        CHECK(reading->lists);
    }
    SECTION("names instead of domains") {
        pair.primary.set_switches(
            {{"canned", {{"settings/sysadmin/domains", {{"status", 404}, {"body", "no"}}}}}});
        CHECK(pair.client->domains()->size() == 3);
    }
    SECTION("disabled users whose mail setting cannot be read") {
        pair.primary.set_switches({{"html", {"settings/domain/user-mail"}}});
        const auto reading = pair.client->read(pair.record("example.com"));
        CHECK(names(*reading->users, Kind::user_unread) == Names{"carol", "dave"});
        DomainRecord known = pair.record("example.com");
        known.users.content = address_list(Kind::user_disabled, {"carol"});
        CHECK(names(*pair.client->read(known)->users, Kind::user_disabled) == Names{"carol"});
    }
}

TEST_CASE("a part that cannot be read says so and no more", "[rest]") {
    Pair pair;
    const auto expect = [&](const Json& switches) {
        pair.primary.set_switches(switches);
        const auto reading = pair.client->read(pair.record("example.com"));
        REQUIRE(reading);
        CHECK_FALSE(reading->users);
        CHECK(reading->aliases);
        CHECK(reading->lists);
    };
    SECTION("a missing key") { expect({{"missing_keys", {"userData", "results"}}}); }
    SECTION("a web page") {
        expect({{"html", {"settings/sysadmin/list-users", "settings/domain/account-list"}}});
    }
    SECTION("cut JSON") {
        expect({{"cut", {"settings/sysadmin/list-users", "settings/domain/account-list"}}});
    }
    SECTION("pages help when the whole list is cut") {
        pair.primary.set_switches(
            {{"cut", {"settings/sysadmin/list-users"}}, {"page_cap", 2}, {"mixed_types", true}});
        check_example_com(*pair.client);
    }
}

TEST_CASE("what ends a round", "[rest]") {
    Pair pair;
    REQUIRE(pair.client->domains());
    SECTION("starting, with Retry-After") {
        pair.primary.set_switches({{"starting", true}, {"retry_after", 11}});
        const auto reading = pair.client->read(pair.record("example.com"));
        REQUIRE_FALSE(reading);
        CHECK(reading.error().fault == Fault::busy);
        CHECK(reading.error().retry_after == 11s);
    }
    SECTION("a connection cut half-way") {
        pair.primary.set_switches({{"truncate", {"settings/domain/mailing-lists"}}});
        const auto reading = pair.client->read(pair.record("example.com"));
        REQUIRE_FALSE(reading);
        CHECK(reading.error().fault == Fault::unreachable);
    }
}

TEST_CASE("the session lives on", "[rest]") {
    Pair pair;
    SECTION("a token is refreshed before its end") {
        pair.primary.set_switches({{"token_life", 3}});
        wait_for([&] {
            REQUIRE(pair.client->domains());
            return pair.primary.requests()["refreshes"] == 2;
        });
        const Json log = pair.primary.requests();
        CHECK(log["sign_ins"] == 1);
        for (const Json& request : log["requests"]) CHECK(request["status"] == 200);
    }
    SECTION("a token that died early is refreshed") {
        pair.primary.set_switches({{"token_life", 0}});  // over at once
        REQUIRE_FALSE(pair.client->domains());
        pair.primary.set_switches({{"token_life", 900}});
        REQUIRE(pair.client->domains());
        CHECK(pair.primary.requests()["sign_ins"] == 1);
        CHECK(pair.primary.requests()["refreshes"].get<int>() >= 1);
    }
    SECTION("the primary's clock is off") {
        pair.primary.set_switches({{"clock_skew", -7200}});
        REQUIRE(pair.client->domains());
        REQUIRE(pair.client->domains());
        CHECK(pair.primary.requests()["refreshes"] == 0);
    }
    SECTION("the primary restarts in mid-round") {
        REQUIRE(pair.client->domains());
        pair.primary.restart();
        check_example_com(*pair.client);
        CHECK(pair.primary.requests()["sign_ins"] == 2);
    }
    SECTION("a bare 401") {
        pair.primary.set_switches({{"bare_401", true}});
        REQUIRE(pair.client->domains());
        pair.primary.restart();
        REQUIRE(pair.client->domains());
    }
    SECTION("another client ends the session, the refresh token too") {
        REQUIRE(pair.client->domains());
        Rest other(pair.settings, "postern-test", machine, {});
        REQUIRE(other.domains());
        REQUIRE(pair.client->domains());
        CHECK(pair.primary.requests()["sign_ins"] == 3);
    }
    SECTION("a client of another name leaves it alone") {
        REQUIRE(pair.client->domains());
        Rest other(pair.settings, "postern-other", machine, {});
        REQUIRE(other.domains());
        REQUIRE(pair.client->domains());
        CHECK(pair.primary.requests()["sign_ins"] == 2);
    }
}

TEST_CASE("an account that cannot be used", "[rest]") {
    Pair pair;
    const auto expect = [&](const Json& switches, Fault fault, const std::string& words) {
        CAPTURE(switches.dump());
        pair.primary.set_switches(switches);
        pair.connect();
        const auto result = pair.client->domains();
        REQUIRE_FALSE(result);
        CHECK(result.error().fault == fault);
        CHECK(result.error().words.find(words) != std::string::npos);
    };
    SECTION("wrong password, with each status") {
        pair.settings.password_file = pair.folder.write("password", "wrong");
        for (const int status : {200, 400, 401, 403})
            expect({{"auth_failure_status", status}}, Fault::credentials, "USERNAME_OR_PASSWORD_INCORRECT");
    }
    SECTION("unknown user") {
        pair.settings.username = "nobody";
        expect(Json::object(), Fault::credentials, "USER_NOT_FOUND");
    }
    SECTION("locked") {
        expect({{"sign_in_refusal", "ACCOUNT_LOCKED"}}, Fault::credentials, "ACCOUNT_LOCKED");
    }
    SECTION("second factor, new") { expect({{"two_factor", "new"}}, Fault::credentials, "second factor"); }
    SECTION("second factor, old") { expect({{"two_factor", "old"}}, Fault::credentials, "second factor"); }
    SECTION("password to be changed") {
        expect({{"password_change", true}}, Fault::credentials, "must be changed");
    }
    SECTION("password expired") {
        expect({{"password_expired", true}}, Fault::credentials, "must be changed");
    }
    SECTION("no administrator") {
        expect({{"not_admin", true}}, Fault::credentials, "no system administrator");
    }
    SECTION("no password file") {
        std::filesystem::remove(pair.settings.password_file);
        expect(Json::object(), Fault::credentials, "cannot read the password file");
        CHECK(pair.primary.requests()["count"] == 0);
    }
    SECTION("intrusion detection") {
        pair.settings.password_file = pair.folder.write("password", "wrong");
        expect({{"ids_after", 1}}, Fault::credentials, "");
        expect(Json::object(), Fault::busy, "too many");
    }
    SECTION("a web page") { expect({{"html", true}}, Fault::unreadable, "not the web service's"); }
    SECTION("nothing there") {
        pair.primary.set_switches({{"html", true}, {"html_status", 404}});
        expect(Json::object(), Fault::unreadable, "no web service");
    }
}

TEST_CASE("a changed password file is read again", "[rest]") {
    Pair pair;
    pair.folder.write("password", "wrong");
    REQUIRE_FALSE(pair.client->domains());
    pair.folder.write("password", "secret");
    CHECK(pair.client->domains());
}

TEST_CASE("requests keep their distance", "[rest]") {
    Pair pair;
    pair.settings.gap = 10ms;
    pair.connect();
    const auto start = std::chrono::steady_clock::now();
    REQUIRE(pair.client->domains());
    REQUIRE(pair.client->read(pair.record("example.com")));
    CHECK(std::chrono::steady_clock::now() - start >= 10ms * (pair.client->requests() - 1));
}
