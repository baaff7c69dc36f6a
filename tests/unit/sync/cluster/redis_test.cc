// With a real server.
#include "sync/cluster/redis.h"

#include <catch2/catch.hpp>
#include <optional>

#include "tests/unit/sync/cluster/redis_server.h"
#include "tests/unit/sync/primary/certificate.h"

using namespace postern::sync;
using namespace postern::tests;
using namespace std::chrono_literals;
using namespace std::string_literals;
using Catch::Matchers::Contains;
using Is = RedisValue::Kind;

namespace {

using Answers = Redis::Result<std::vector<RedisValue>>;

postern::base::Moment later() { return machine.now() + 1h; }

struct Asker {
    explicit Asker(const std::string& url) { settings.url = url; }

    Redis& connection() {
        if (!redis) redis.emplace(settings, machine, stop.get_token());
        return *redis;
    }
    Answers ask(const std::vector<RedisCommand>& commands) { return connection().ask(commands, later()); }
    std::string text(const RedisCommand& command) {
        const Answers answers = ask({command});
        return answers ? answers->front().text : "failed: " + answers.error();
    }
    /// In words, without a password.
    std::string failure() {
        const Answers answers = ask({{"PING"}});
        REQUIRE_FALSE(answers);
        CHECK_FALSE(connection().connected());
        CHECK_THAT(answers.error(), !Contains("secret"));
        return answers.error();
    }

    RedisSettings settings;
    std::stop_source stop;
    std::optional<Redis> redis;
};

}  // namespace

TEST_CASE("commands of one write are answered in their order", "[redis]") {
    RedisServer server;
    Asker asker("redis://" + server.where());
    CHECK_FALSE(asker.connection().connected());
    const std::string octets = "a\r\n\0\xff"s;
    const Answers answers =
        asker.ask({{"SET", "key", octets},
                   {"GET", "key"},
                   {"GET", "other"},
                   {"INCRBY", "n", "-7"},
                   {"GET"},
                   {"LPUSH", "key", "x"},
                   {"RPUSH", "l", "", "b"},
                   {"LRANGE", "l", "0", "-1"},
                   {"EVAL", "return {1, {'two', {}}, redis.error_reply('THREE it')}", "0"},
                   {"NONSENSE"}});
    REQUIRE(answers);
    REQUIRE(answers->size() == 10);
    const auto& all = *answers;
    CHECK(all[0] == RedisValue{Is::text, 0, "OK", {}});
    CHECK(all[1] == RedisValue{Is::text, 0, octets, {}});
    CHECK(all[2] == RedisValue());
    CHECK(all[3] == RedisValue{Is::integer, -7, {}, {}});
    CHECK(all[4].kind == Is::error);
    CHECK_THAT(all[5].text, Catch::Matchers::StartsWith("WRONGTYPE "));
    CHECK(all[6].number == 2);
    CHECK(all[7] == RedisValue{Is::list, 0, {}, {{Is::text, 0, "", {}}, {Is::text, 0, "b", {}}}});
    REQUIRE(all[8].list.size() == 3);
    CHECK(all[8].list[1].list[1] == RedisValue{Is::list, 0, {}, {}});
    CHECK(all[8].list[2] == RedisValue{Is::error, 0, "THREE it", {}});
    CHECK_THAT(all[9].text, Contains("unknown command"));

    CHECK(asker.text({"CLIENT", "GETNAME"}) == "postern");
    CHECK(asker.ask({})->empty());
    CHECK(asker.connection().connected());
    CHECK(asker.connection().connections() == 1);
    CHECK(asker.connection().where() == server.where());
    asker.connection().close();
    CHECK_FALSE(asker.connection().connected());
    CHECK(asker.text({"GET", "key"}) == octets);
    CHECK(asker.connection().connections() == 2);
}

TEST_CASE("a connection that the server has ended is made anew", "[redis]") {
    RedisServer server;
    Asker asker("redis://" + server.where()), other("redis://" + server.where());
    CHECK(asker.text({"PING"}) == "PONG");
    CHECK(other.ask({{"CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes"}})->front().number == 1);
    CHECK(asker.text({"PING"}) == "PONG");
    CHECK(asker.connection().connections() == 2);
    CHECK(other.connection().connections() == 1);
}

TEST_CASE("a password is asked for, wrong or right", "[redis]") {
    RedisServer server({"--requirepass", "secret one"});
    const Folder folder;
    Asker asker("redis://" + server.where());
    CHECK(asker.failure() == server.where() + " refuses CLIENT: NOAUTH Authentication required.");
    asker.redis.reset();
    asker.settings.password_file = folder.path() / "password";
    CHECK_THAT(asker.failure(), Contains("cannot read the password file"));
    CHECK(asker.connection().connections() == 0);
    folder.write("password", "secret two\n");
    CHECK_THAT(asker.failure(), Contains(" refuses AUTH: WRONGPASS "));
    folder.write("password", "secret one\n");
    CHECK(asker.text({"PING"}) == "PONG");
    folder.write("password", "");
    CHECK(asker.text({"PING"}) == "PONG");
    CHECK(asker.connection().connections() == 2);
}

TEST_CASE("a password nobody wants is refused", "[redis]") {
    RedisServer server;
    const Folder folder;
    Asker asker("redis://" + server.where());
    asker.settings.password_file = folder.write("password", "secret");
    CHECK_THAT(asker.failure(), Contains(" refuses AUTH: ERR AUTH <password> called without any password"));
}

TEST_CASE("what a server repeats of a password is not told", "[redis]") {
    RedisServer server({"--rename-command", "AUTH", "OTHER"});
    const Folder folder;
    Asker asker("redis://" + server.where());
    asker.settings.password_file = folder.write("password", "secret");
    CHECK(asker.failure() == server.where() + " refuses AUTH: ERR");
    folder.write("password", "ERR unkn");
    CHECK(asker.failure() == server.where() + " refuses AUTH: ERR");
    folder.write("password", "E");
    CHECK(asker.failure() == server.where() + " refuses AUTH: (its words repeat the password)");
}

TEST_CASE("a user of an ACL may what it says", "[redis]") {
    RedisServer server({"--user", "gateway", "on", ">secret", "~own:*", "+get", "+set", "+ping"});
    const Folder folder;
    Asker asker("redis://" + server.where());
    asker.settings.username = "gateway";
    asker.settings.password_file = folder.write("password", "secret");
    const Answers answers =
        asker.ask({{"SET", "own:a", "1"}, {"SET", "a", "1"}, {"FLUSHALL"}, {"GET", "own:a"}});
    REQUIRE(answers);
    CHECK((*answers)[0].text == "OK");
    CHECK_THAT((*answers)[1].text, Contains("NOPERM"));
    CHECK_THAT((*answers)[2].text, Contains("NOPERM"));
    CHECK((*answers)[3].text == "1");
    CHECK(asker.connection().connections() == 1);
    asker.redis.reset();
    asker.settings.url += "/1";
    CHECK_THAT(asker.failure(), Contains(" refuses SELECT: NOPERM"));
    asker.redis.reset();
    asker.settings.username = "nobody";
    CHECK_THAT(asker.failure(), Contains(" refuses AUTH: WRONGPASS"));
}

TEST_CASE("a database is its own", "[redis]") {
    RedisServer server;
    Asker first("redis://" + server.where()), third("redis://" + server.where() + "/3"),
        none("redis://" + server.where() + "/16");
    CHECK(third.text({"SET", "key", "three"}) == "OK");
    CHECK(first.text({"GET", "key"}).empty());
    CHECK(third.text({"GET", "key"}) == "three");
    CHECK_THAT(none.failure(), Contains(" refuses SELECT: ERR DB index is out of range"));
}

TEST_CASE("a server that has too many connections says so", "[redis]") {
    RedisServer server({"--maxclients", "1"});
    Asker asker("redis://" + server.where()), other("redis://" + server.where());
    CHECK(asker.text({"PING"}) == "PONG");
    CHECK_THAT(other.failure(), Contains(" refuses CLIENT: ERR max number of clients reached"));
}

TEST_CASE("where nothing listens is said", "[redis]") {
    std::string url;
    {
        RedisServer server;
        url = "redis://" + server.where();
    }
    Asker asker(url);
    CHECK_THAT(asker.failure(), Contains("cannot connect to " + url.substr(8)));
    CHECK(asker.connection().connections() == 0);
    CHECK_THROWS_AS(Asker("http://localhost").connection(), std::invalid_argument);
}

TEST_CASE("TLS is spoken with who has the right certificate", "[redis]") {
    const Folder folder;
    const auto certificate = folder.path() / "cert.pem", key = folder.path() / "key.pem";
    write_certificate(certificate, key, "x", "IP:" + own_address());
    const auto other = folder.path() / "other.pem", other_key = folder.path() / "other-key.pem";
    write_certificate(other, other_key, "x", "IP:" + own_address());
    RedisServer server({"--tls-cert-file", certificate, "--tls-key-file", key, "--tls-ca-cert-file",
                        certificate, "--tls-auth-clients", "no"},
                       "--tls-port");
    Asker asker("rediss://" + server.where());
    asker.settings.ca_file = certificate;
    for (int i = 0; i < 3; ++i) CHECK(asker.text({"PING"}) == "PONG");
    const std::string large(5'000'000, 'x');
    CHECK(asker.text({"SET", "key", large}) == "OK");
    CHECK((asker.text({"GET", "key"}) == large));
    CHECK(asker.connection().connections() == 1);

    Asker wary("rediss://" + server.where());
    wary.settings.ca_file = other;
    CHECK_THAT(wary.failure(), Contains("the certificate of " + server.where()));
    Asker careless("rediss://" + server.where());
    careless.settings.verify_tls = false;
    CHECK(careless.text({"PING"}) == "PONG");
    Asker plain("redis://" + server.where());
    CHECK_THAT(plain.failure(), Contains("its url begins with rediss://"));
}

TEST_CASE("answers are as large as is allowed and no larger", "[redis]") {
    RedisServer server;
    Asker asker("redis://" + server.where());
    REQUIRE(asker.ask({{"SETRANGE", "fits", "59999999", "x"}, {"SETRANGE", "large", "69999999", "x"}}));
    CHECK(asker.text({"GET", "fits"}).size() == 60'000'000);
    const Answers refused = asker.ask({{"PING"}, {"GET", "large"}});
    REQUIRE_FALSE(refused);
    CHECK(refused.error() == "the answer of " + server.where() + " is too large: more than 64 MiB");
    const Answers both = asker.ask({{"GET", "fits"}, {"GET", "fits"}});
    REQUIRE_FALSE(both);
    const Answers many =
        asker.ask({{"EVAL", "local t = {} for i = 1, 999999 do t[i] = i end return t", "0"}});
    REQUIRE(many);
    CHECK(many->front().list.size() == 999'999);
    CHECK(many->front().list.back().number == 999'999);
    CHECK(asker.connection().connections() == 3);
}
