#include "sync/rest/rest_reply.h"

#include <catch2/catch.hpp>
#include <random>

#include "sync/base/time_text.h"
#include "sync/limits.h"
#include "tests/unit/sync/fixture.h"

using namespace postern::sync;
using namespace postern::tests;
using namespace std::chrono_literals;
using rest::Reply;

namespace {

template <class T>
std::string outcome(const Result<T>& result) {
    if (result) return "ok";
    const char* names[] = {"interrupted",  "unreachable", "busy",      "credentials",
                           "unauthorised", "refused",     "unreadable"};
    return names[static_cast<int>(result.error().fault)];
}

std::string nested(int levels) {
    std::string text = R"({"success":true,"userData":)";
    for (int i = 0; i < levels; ++i) text += "[";
    for (int i = 0; i < levels; ++i) text += "]";
    return text + "}";
}

}  // namespace

TEST_CASE("signing in: only a usable session is one", "[reply]") {
    struct Row {
        int status;
        const char *body, *expected;
    };
    const char* token =
        R"({"accessToken":"a.b.c","refreshToken":"r","accessTokenExpiration":"2026-10-28T14:18:21.5589952Z","isAdmin":true,"success":true,"resultCode":200})";
    const Row rows[] = {
        {200, token, "ok"},
        {200, R"({"accessToken":"a.b.c","success":true})", "ok"},
        {200, R"({"success":false,"message":"USERNAME_OR_PASSWORD_INCORRECT"})", "credentials"},
        {400, R"({"success":false,"message":"USERNAME_OR_PASSWORD_INCORRECT"})", "credentials"},
        {401, R"({"success":false,"message":"USERNAME_OR_PASSWORD_INCORRECT"})", "credentials"},
        {403, R"({"success":false,"message":"ACCOUNT_LOCKED"})", "credentials"},
        {401, R"({"success":false,"message":"Too many login attempts"})", "busy"},
        {401, "Too many login attempts", "busy"},
        {401, "", "busy"},
        {403, "<html>", "busy"},
        {200,
         R"({"accessToken":"step","refreshToken":"","success":true,"message":"TWO_FACTOR_REQUIRED|rfc6238|u"})",
         "credentials"},
        {401, R"({"success":false,"message":"TWO_FACTOR_REQUIRED|email|u"})", "credentials"},
        {200, R"({"accessToken":"a","changePasswordNeeded":true,"success":true})", "credentials"},
        {200, R"({"accessToken":"a","passwordExpired":true,"success":true})", "credentials"},
        {200, R"({"accessToken":"a","isAdmin":false,"success":true})", "credentials"},
        {200, R"({"success":true})", "unreadable"},
        {200, R"({"accessToken":"","success":true})", "unreadable"},
        {200, R"({"accessToken":17,"success":true})", "unreadable"},
        {200, "{\"accessToken\":\"a\\r\\nX: y\",\"success\":true}", "unreadable"},
        {200, "<html><body>Welcome</body></html>", "unreadable"},
        {404, "<html>", "unreadable"},
        {200, "", "unreadable"},
        {200, R"({"accessToken":"a.b)", "unreadable"},
        {500, "oops", "busy"},
        {500, R"({"success":false,"message":"error"})", "busy"},
        {503, token, "busy"},
        {429, "", "busy"},
        {302, "", "unreadable"},
        {400, token, "unreadable"},
    };
    for (const Row& row : rows) {
        CAPTURE(row.status, row.body);
        CHECK(outcome(rest::parse_sign_in({row.status, row.body, {}})) == row.expected);
    }
    const auto session = rest::parse_sign_in({200, token, {}});
    CHECK(session->access_token == "a.b.c");
    CHECK(session->refresh_token == "r");
    CHECK(session->expires == postern::base::parse_iso_time("2026-10-28T14:18:21.558Z"));
    CHECK(rest::parse_sign_in({401, "Too many login attempts", {}}).error().retry_after == 20min);
    CHECK(rest::parse_sign_in({503, "", 7s}).error().retry_after == 7s);
}

TEST_CASE("a list counts only when it is one", "[reply]") {
    struct Row {
        int status;
        const char *body, *expected;
    };
    const Row rows[] = {
        {200, R"({"userData":[{"userName":"alice"}],"success":true})", "ok"},
        {200, R"({"userData":[],"success":true})", "ok"},
        {200, R"({"userData":[]})", "ok"},
        {200, R"({"success":true})", "unreadable"},
        {200, R"({"userData":null,"success":true})", "unreadable"},
        {200, R"({"userData":"","success":true})", "unreadable"},
        {200, R"({"userData":{},"success":true})", "unreadable"},
        {200, R"({"userData":[1],"success":true})", "unreadable"},
        {200, R"({"userData":[{}],"success":true})", "unreadable"},
        {200, R"({"userData":[{"userName":7}],"success":true})", "unreadable"},
        {200, R"({"userData":[{"userName":"alice"}],"success":false})", "refused"},
        {200, R"({"success":false,"message":"Domain does not exist"})", "refused"},
        {400, R"({"success":false,"message":"x"})", "refused"},
        {403, R"({"success":false})", "refused"},
        {404, "<html>", "refused"},
        {401, "", "unauthorised"},
        {401, R"({"success":false,"message":"Token has expired"})", "unauthorised"},
        {500, R"({"success":false,"message":"x"})", "refused"},
        {500, R"({"userData":[]})", "busy"},
        {500, "<html>", "busy"},
        {503, R"({"userData":[],"success":true})", "busy"},
        {400, R"({"userData":[],"success":true})", "unreadable"},
        {200, "<html>", "unreadable"},
        {200, "", "unreadable"},
        {200, "[]", "unreadable"},
        {200, "null", "unreadable"},
        {200, R"({"userData":[{"userName":"alice"},{"userName":"b)", "unreadable"},
        {200, R"({"userData":[],"success":true} trailing)", "unreadable"},
        {200, "{\"userData\":[{\"userName\":\"\xff\xfe\"}],\"success\":true}", "unreadable"},
    };
    for (const Row& row : rows) {
        CAPTURE(row.status, row.body);
        CHECK(outcome(rest::parse_users({row.status, row.body, {}})) == row.expected);
    }
}

TEST_CASE("hostile JSON is bounded", "[reply]") {
    CHECK(outcome(rest::parse_users({200, nested(20), {}})) == "unreadable");
    CHECK(rest::parse_users({200, nested(31), {}}).error().words.find("deep") == std::string::npos);
    CHECK(rest::parse_users({200, nested(40), {}}).error().words.find("deep") != std::string::npos);
    CHECK(outcome(rest::parse_users({200, nested(2'000'000), {}})) == "unreadable");
    CHECK(outcome(rest::parse_users({200, "{" + std::string(5'000'000, '['), {}})) == "unreadable");
    std::string many = R"({"success":true,"userData":[)";
    for (int i = 0; i < 5'000'001; ++i) many += "1,";
    CHECK(rest::parse_users({200, many + "1]}", {}}).error().words.find("too many") != std::string::npos);
    const std::string long_message =
        R"({"success":false,"message":")" + std::string(100'000, 'x') + R"(\u0000\r\n"})";
    const auto failure = rest::parse_users({200, long_message, {}});
    CHECK(failure.error().words.size() < 300);
    const auto control = rest::parse_users({200, R"({"success":false,"message":"a\r\nb\u0000c"})", {}});
    CHECK(control.error().words == "\"a  b c\"");
}

TEST_CASE("a list with more entries than any primary should have is none", "[reply]") {
    const auto reply_with = [](std::size_t count) {
        std::string body = R"({"success":true,"data":[)";
        for (std::size_t i = 0; i < count; ++i) body += i == 0 ? "\"a.example\"" : ",\"a.example\"";
        return body + "]}";
    };
    CHECK(rest::parse_domain_names({200, reply_with(limits::domains), {}})->size() == limits::domains);
    const auto listed = rest::parse_domain_names({200, reply_with(limits::domains + 1), {}});
    REQUIRE_FALSE(listed);
    CHECK(listed.error().trouble == Trouble::too_large);
}

TEST_CASE("domains", "[reply]") {
    const auto listed = rest::parse_domains(
        {200,
         R"({"data":[{"name":"Example.com","isEnabled":true,"status":"Disabled"},{"name":"b.example","status":"Enabled"},
                 {"name":"c.example","status":"disabled"},{"name":"d.example","isEnabled":false},{"name":"e.example"},
                 {"name":"not a domain"},{"name":"b\u00fccher.example"}],"success":true})",
         {}});
    REQUIRE(listed);
    REQUIRE(listed->size() == 7);
    CHECK((*listed)[0].name == "example.com");
    CHECK((*listed)[0].spelling == "Example.com");
    CHECK((*listed)[0].enabled == true);
    CHECK((*listed)[1].enabled == true);
    CHECK((*listed)[2].enabled == false);
    CHECK((*listed)[3].enabled == false);
    CHECK((*listed)[4].enabled == std::nullopt);
    CHECK((*listed)[5].name.empty());
    CHECK((*listed)[5].spelling == "not a domain");
    CHECK((*listed)[6].name == "xn--bcher-kva.example");
    CHECK(outcome(rest::parse_domains({200, R"({"data":[{"nam":"x"}],"success":true})", {}})) ==
          "unreadable");
    CHECK(outcome(rest::parse_domains({200, R"({"data":null,"success":true})", {}})) == "unreadable");
    const auto names_only = rest::parse_domain_names({200, R"({"data":["example.com"],"success":true})", {}});
    REQUIRE(names_only);
    CHECK((*names_only)[0].enabled == std::nullopt);
    CHECK(outcome(rest::parse_domain_names({200, R"({"data":[1],"success":true})", {}})) == "unreadable");
}

TEST_CASE("users and their states", "[reply]") {
    const auto users =
        rest::parse_users({200,
                           R"({"userData":[{"userName":"Alice","securityFlags":{"isDisabled":false}},
                 {"userName":"carol@example.com","securityFlags":{"isDisabled":true}},
                 {"emailAddress":"dave@example.com"}],"success":true})",
                           {}});
    REQUIRE(users);
    CHECK(names(*users, Kind::user) == std::vector<std::string>{"alice", "dave"});
    CHECK(names(*users, Kind::user_unread) == std::vector<std::string>{"carol"});
    CHECK(rest::parse_user_mail(
              {200, R"({"userMailSettings":{"canReceiveMail":true},"success":true})", {}}) == true);
    CHECK(rest::parse_user_mail(
              {200, R"({"userMailSettings":{"canReceiveMail":false},"success":true})", {}}) == false);
    CHECK(outcome(rest::parse_user_mail({200, R"({"userMailSettings":{},"success":true})", {}})) ==
          "unreadable");
    CHECK(outcome(rest::parse_user_mail({200, R"({"userMailSettings":null,"success":true})", {}})) ==
          "unreadable");
}

TEST_CASE("aliases, lists, resources, domain aliases", "[reply]") {
    using rest::AccountType;
    const auto page = rest::parse_accounts(
        {200,
         R"({"results":[{"userName":"alice","accountType":0},{"userName":"bob","accountType":1,"isEnabled":false},
                 {"userName":"Sales","accountType":4,"isEnabled":true},{"userName":"news","accountType":5},
                 {"userName":"untyped"}],"success":true})",
         {}},
        AccountType::alias);
    REQUIRE(page);
    REQUIRE(page->size() == 5);
    CHECK((*page)[0].type == AccountType::user);
    CHECK((*page)[0].enabled);
    CHECK((*page)[1].type == AccountType::user);
    CHECK_FALSE((*page)[1].enabled);
    CHECK((*page)[2].type == AccountType::alias);
    CHECK((*page)[2].name == "sales");
    CHECK((*page)[3].type == AccountType::other);
    CHECK((*page)[4].type == AccountType::alias);
    const auto accounts = [](const char* body) {
        return outcome(rest::parse_accounts({200, body, {}}, AccountType::user));
    };
    CHECK(accounts(R"({"results":null,"success":true})") == "unreadable");
    CHECK(accounts(R"({"results":[{"userName":"a","accountType":"4"}],"success":true})") == "unreadable");
    CHECK(accounts(R"({"results":[{"userName":"a","accountType":4.5}],"success":true})") == "unreadable");
    CHECK(accounts(R"({"results":[{"userName":"","accountType":4}],"success":true})") == "unreadable");
    CHECK(
        rest::account_search_body(AccountType::user, 5, 10) ==
        R"({"search":null,"searchFlags":["users"],"skip":5,"sortDescending":false,"sortField":"userName","take":10})");

    const auto grid =
        rest::parse_alias_grid({200, R"({"gridInfo":[{"name":"sales","targets":null}],"success":true})", {}});
    REQUIRE(grid);
    CHECK(names(*grid, Kind::alias) == std::vector<std::string>{"sales"});
    CHECK(rest::parse_alias_grid({200, R"({"gridInfo":"","success":true})", {}})->empty());
    CHECK(rest::parse_alias_grid({200, R"({"gridInfo":null,"success":true})", {}})->empty());
    CHECK(outcome(rest::parse_alias_grid({200, R"({"gridInfo":"x","success":true})", {}})) == "unreadable");
    CHECK(outcome(rest::parse_alias_grid({200, R"({"success":true})", {}})) == "unreadable");

    const auto lists = rest::parse_lists(
        {200,
         R"({"items":[{"listAddress":"news"},{"listAddress":"old","disabled":true,"listCommandAddress":"cmd@example.com"}],"success":true})",
         {}});
    REQUIRE(lists);
    CHECK(names(lists->lists, Kind::mailing_list) == std::vector<std::string>{"news"});
    CHECK(lists->list_command == "cmd");
    CHECK(outcome(rest::parse_lists({200, R"({"success":true})", {}})) == "unreadable");

    const auto resources = rest::parse_resources(
        {200,
         R"({"virtualFolders":[{"emailAlias":"room1"},{"emailAlias":"gone","isEnabled":false},{"name":"x"}],"success":true})",
         {}});
    REQUIRE(resources);
    CHECK(names(*resources, Kind::resource) == std::vector<std::string>{"room1"});

    CHECK(rest::parse_domain_aliases({200, R"({"domainAliasData":null,"success":true})", {}})->empty());
    CHECK(*rest::parse_domain_aliases(
              {200, R"({"domainAliasData":[{"name":"Example.ORG"}],"success":true})", {}}) ==
          std::vector<std::string>{"example.org"});
    CHECK(outcome(rest::parse_domain_aliases({200, R"({"success":true})", {}})) == "unreadable");
}

TEST_CASE("domain settings", "[reply]") {
    const auto settings = rest::parse_domain_settings(
        {200,
         R"({"domainSettings":{"isEnabled":false,"catchAll":"all","listCommandAddress":"cmd@example.com"},"success":true})",
         {}});
    REQUIRE(settings);
    CHECK(settings->enabled == false);
    CHECK(settings->catch_all == "all");
    CHECK(settings->list_command == "cmd");
    const auto none =
        rest::parse_domain_settings({200, R"({"domainSettings":{"catchAll":null},"success":true})", {}});
    REQUIRE(none);
    CHECK(none->enabled == std::nullopt);
    CHECK(none->catch_all.empty());
    CHECK(outcome(rest::parse_domain_settings({200, R"({"domainSettings":{},"success":true})", {}})) ==
          "unreadable");
    CHECK(outcome(rest::parse_domain_settings(
              {200, R"({"domainSettings":{"catchAll":1},"success":true})", {}})) == "unreadable");
}

TEST_CASE("a request body keeps odd characters", "[reply]") {
    const std::string body = rest::sign_in_body("gate\"way", postern::base::Secret("p\"\\\xc3\xa4\n"), "id");
    CHECK(body ==
          "{\"clientId\":\"id\",\"language\":\"en\",\"password\":\"p\\\"\\\\\xc3\xa4\\n\",\"username\":"
          "\"gate\\\"way\"}");
}

TEST_CASE("no damage to a reply makes more of it than it is", "[reply]") {
    const unsigned seed = std::random_device{}();
    CAPTURE(seed);
    std::minstd_rand random(seed);
    const std::string whole =
        R"({"data":[{"name":"example.com","isEnabled":true}],"userData":[{"userName":"alice","securityFlags":{"isDisabled":false}}],)"
        R"("results":[{"userName":"sales","accountType":4}],"gridInfo":[{"name":"sales"}],"items":[{"listAddress":"news"}],)"
        R"("domainAliasData":[{"name":"example.org"}],"domainSettings":{"catchAll":"x"},"accessToken":"a","success":true})";
    for (std::size_t size = 0; size < whole.size(); ++size) {
        const Reply cut{200, std::string_view(whole).substr(0, size), {}};
        REQUIRE_FALSE(rest::parse_users(cut));
        REQUIRE_FALSE(rest::parse_domains(cut));
        REQUIRE_FALSE(rest::parse_sign_in(cut));
    }
    for (int i = 0; i < 4000; ++i) {
        std::string text = whole;
        for (auto changes = 1 + random() % 4; changes > 0; --changes) {
            const std::size_t where = random() % text.size();
            switch (random() % 3) {
                case 0: text[where] = static_cast<char>(random() % 256); break;
                case 1: text.erase(where, 1 + random() % 8); break;
                default: text.insert(where, 1, "{}[]\",:0"[random() % 8]); break;
            }
        }
        const Reply reply{200, text, {}};
        if (const auto users = rest::parse_users(reply)) REQUIRE(users->size() <= 1);
        if (const auto domains = rest::parse_domains(reply)) REQUIRE(domains->size() <= 1);
        if (const auto lists = rest::parse_lists(reply)) REQUIRE(lists->lists.size() <= 1);
        rest::parse_sign_in(reply);
        rest::parse_accounts(reply, rest::AccountType::user);
        rest::parse_alias_grid(reply);
        rest::parse_domain_aliases(reply);
        rest::parse_domain_settings(reply);
    }
}
