// With a server that is none, or breaks off.
#include <atomic>
#include <catch2/catch.hpp>
#include <mutex>

#include "sync/cluster/redis.h"
#include "tests/unit/sync/fixture.h"
#include "tests/unit/sync/loopback_server.h"

using namespace postern::sync;
using namespace postern::tests;
using namespace std::chrono_literals;
using namespace std::string_literals;
using Catch::Matchers::Contains;

namespace {

using Answers = Redis::Result<std::vector<RedisValue>>;

/// Lets each connection say something at once, to the name, and to what is asked then; then it ends, or waits
/// until the other side does.
class Double {
public:
    std::string at_once, to_name = "+OK\r\n", to_question;
    bool ends = false;
    std::function<void()> when_asked = [] {};

    RedisSettings settings() const { return {"redis://" + server_.where(), {}, {}, {}, true}; }
    std::string where() const { return server_.where(); }
    Answers ask(const RedisSettings& settings, std::size_t questions = 1) const {
        return Redis(settings, machine, stop.get_token())
            .ask(std::vector<RedisCommand>(questions, {"PING"}), machine.now() + 1h);
    }
    std::string failure() const {
        const Answers answers = ask(settings());
        REQUIRE_FALSE(answers);
        return answers.error();
    }

    mutable std::stop_source stop;

private:
    static void say(int client, std::string_view octets) {
        (void)!::send(client, octets.data(), octets.size(), MSG_NOSIGNAL);
    }
    void serve(int client) {
        say(client, at_once);
        std::string heard;
        bool named = false, asked = false;
        char octets[4096];
        ssize_t got;
        while ((got = ::recv(client, octets, sizeof octets, 0)) > 0) {
            heard.append(octets, static_cast<std::size_t>(got));
            if (!named && heard.find("SETNAME\r\n$7\r\npostern\r\n") != heard.npos) {
                named = true;
                say(client, to_name);
                if (ends && to_name != "+OK\r\n") ::shutdown(client, SHUT_WR);
            }
            if (!asked && heard.find("PING\r\n") != heard.npos) {
                asked = true;
                when_asked();
                say(client, to_question);
                if (ends) ::shutdown(client, SHUT_WR);
            }
        }
    }

    LoopbackServer server_{[this](int client) { serve(client); }};
};

}  // namespace

TEST_CASE("what is no Redis server is told from one", "[redis]") {
    const auto says = [](const std::string& at_once, const std::string& to_name) {
        Double other;
        other.at_once = at_once;
        other.to_name = to_name;
        std::string words = other.failure();
        const auto at = words.find(other.where());
        REQUIRE(at != words.npos);
        return words.replace(at, other.where().size(), "it");
    };
    const std::string none = "what answers at it is no Redis server";
    CHECK(says("220 mx.example ESMTP\r\n", "") == none + ": it says \"220 mx.example ESMTP\"");
    CHECK(says("", "HTTP/1.1 400 Bad Request\r\nServer: x\r\n\r\n") ==
          none + ": it says \"HTTP/1.1 400 Bad Request\"");
    CHECK(says("* OK [CAPABILITY IMAP4rev1] ready\r\n", "") ==
          none + ": it says \"* OK [CAPABILITY IMAP4rev1] ready\"");
    CHECK(says("+OK POP3 ready\r\n", "") == none + ": it says \"OK POP3 ready\"");
    CHECK(says("SSH-2.0-", "") == none);
    CHECK(says("", ":1\r\n") == none);
    CHECK(says("", "\r\n") == none);
    CHECK(says("", "\x15\x03\x01\x00\x02\x02\x46"s) ==
          "what answers at it speaks TLS: its url begins with rediss://");
    CHECK(says("-DENIED Redis is running in protected mode\x07\r\n", "") ==
          "it refuses CLIENT: DENIED Redis is running in protected mode ");
    CHECK(says("", std::string(100'000, 'x')) == none);
    CHECK(says("", "+" + std::string(100'000, 'x')) == none);
    CHECK(says("+OK\r\n+OK\r\n", "") ==
          "the answer of it cannot be understood: more than what was asked for");
}

TEST_CASE("a name that cannot be set is done without", "[redis]") {
    for (const std::string refusal : {"-NOPERM this user\r\n", "-ERR unknown command 'CLIENT'\r\n"}) {
        Double other;
        other.to_name = refusal;
        other.to_question = "+PONG\r\n";
        CHECK(other.ask(other.settings()));
    }
}

TEST_CASE("a foreign server is not quoted with the password in its words", "[redis]") {
    const Folder folder;
    for (const std::string echo :
         {"500 what is secret?\r\n", "500", "-ERR secret\r\n", "-secret\r\n", "+secret\r\n",
          "*2\r\n$4\r\nAUTH\r\n$6\r\nsecret\r\n", "secret\r\n", "500 secr"}) {
        INFO(echo);
        Double other;
        other.to_name = echo;
        other.ends = true;
        RedisSettings settings = other.settings();
        settings.password_file = folder.write("password", "secret");
        const Answers answers = other.ask(settings);
        REQUIRE_FALSE(answers);
        CHECK_THAT(answers.error(), Contains(other.where()) && !Contains("secr"));
    }
}

TEST_CASE("an answer that is none, or too large, ends the connection in words", "[redis]") {
    for (const auto& [octets, words] : std::vector<std::pair<std::string, std::string>>{
             {"nonsense\r\n", "cannot be understood"},
             {"$-7\r\n", "cannot be understood"},
             {"$3\r\nabcde", "cannot be understood"},
             {"+PONG\r\n+PONG\r\n", "cannot be understood"},
             {"*2147483647\r\n", "is too large"},
             {"*1000000000\r\n", "is too large"},
             {"*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n:1\r\n", "is too large"},
             {"+" + std::string(70'000, 'x'), "is too large"}}) {
        INFO(octets.substr(0, 40));
        Double other;
        other.to_question = octets;
        CHECK_THAT(other.failure(), Contains("the answer of " + other.where() + " " + words));
    }
}

TEST_CASE("a text of any announced length is not waited for beyond the bound", "[redis]") {
    Double other;
    other.to_question = "$9223372036854775807\r\n" + std::string(65u << 20, 'x');
    CHECK_THAT(other.failure(), Contains("more than 64 MiB"));
}

TEST_CASE("wherever an answer breaks off there is none", "[redis]") {
    const std::string answer = "*3\r\n$5\r\na\r\nb\0\r\n:-12\r\n*1\r\n+OK\r\n-ERR no\r\n"s;
    const auto cut_at = [&](std::size_t size) {
        Double other;
        other.to_question = answer.substr(0, size);
        other.ends = true;
        const Answers answers = other.ask(other.settings(), 2);
        if (!answers)
            CHECK(answers.error() == other.where() + " ended the connection without a whole answer");
        return answers;
    };
    for (std::size_t size = 0; size < answer.size(); ++size) {
        INFO(size);
        REQUIRE_FALSE(cut_at(size));
    }
    REQUIRE(cut_at(answer.size()));
    for (const std::string name : {"+", "+O", "+OK", "+OK\r"}) {
        Double other;
        other.to_name = name;
        other.ends = true;
        CHECK(other.failure() == other.where() + " ended the connection without a whole answer");
    }
}

TEST_CASE("after a failure everything is said anew", "[redis]") {
    std::atomic<int> asked = 0;
    Double other;
    other.ends = true;
    other.when_asked = [&] { other.to_question = ++asked == 1 ? "+PO" : "+PONG\r\n"; };
    Redis redis(other.settings(), machine, other.stop.get_token());
    CHECK_FALSE(redis.ask({{"PING"}}, machine.now() + 1h));
    CHECK_FALSE(redis.connected());
    const Answers answers = redis.ask({{"PING"}}, machine.now() + 1h);
    REQUIRE(answers);
    CHECK(answers->front().text == "PONG");
    CHECK(redis.connections() == 2);
    CHECK(asked == 2);
}

TEST_CASE("a silent server is waited for until the deadline, or until it is to stop", "[redis]") {
    for (const std::string octets : {"", "*2\r\n+a\r\n", "$1000000\r\nabc"}) {
        Double other;
        other.to_question = octets;
        Redis redis(other.settings(), machine, other.stop.get_token());
        const Answers late = redis.ask({{"PING"}}, machine.now() + 50ms);
        REQUIRE_FALSE(late);
        CHECK(late.error() == "no complete reply from " + other.where() + " in time");
        CHECK_FALSE(redis.connected());
        other.when_asked = [&] { other.stop.request_stop(); };
        CHECK(other.failure() == "interrupted");
    }
    Double mute;
    mute.to_name = "";
    CHECK_FALSE(Redis(mute.settings(), machine, {}).ask({{"PING"}}, machine.now() + 50ms));
}
