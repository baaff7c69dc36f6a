#include "sync/cluster/redis_reply.h"

#include <catch2/catch.hpp>
#include <random>

using namespace postern::sync;
using Kind = RedisValue::Kind;

namespace {

RedisValue text(std::string words) { return {Kind::text, 0, std::move(words), {}}; }
RedisValue integer(std::int64_t number) { return {Kind::integer, number, {}, {}}; }
RedisValue list(std::vector<RedisValue> values) { return {Kind::list, 0, {}, std::move(values)}; }
RedisValue error(std::string words) { return {Kind::error, 0, std::move(words), {}}; }

std::string all_octets() {
    // The literal above ends at its NUL.
    return std::string("+OK\r\n:42\r\n:-7\r\n$-1\r\n*-1\r\n$5\r\na\r\nb") + '\0' +
           "\r\n$0\r\n\r\n*0\r\n*3\r\n$1\r\nx\r\n*2\r\n:1\r\n$-1\r\n+y\r\n-WRONGTYPE of another kind\r\n";
}

const std::vector<RedisValue> meant{text("OK"),
                                    integer(42),
                                    integer(-7),
                                    {},
                                    {},
                                    text(std::string("a\r\nb\0", 5)),
                                    text(""),
                                    list({}),
                                    list({text("x"), list({integer(1), {}}), text("y")}),
                                    error("WRONGTYPE of another kind")};

std::vector<RedisValue> take_all(RedisReplies& replies) {
    std::vector<RedisValue> out;
    while (auto one = replies.take()) out.push_back(std::move(*one));
    return out;
}

}  // namespace

TEST_CASE("answers are read however they are cut", "[redis]") {
    const std::string octets = all_octets();
    for (std::size_t cut = 0; cut <= octets.size(); ++cut) {
        RedisReplies replies;
        REQUIRE(replies.feed(octets.substr(0, cut)));
        auto got = take_all(replies);
        REQUIRE(got.size() <= meant.size());
        REQUIRE(std::equal(got.begin(), got.end(), meant.begin()));
        REQUIRE(replies.feed(octets.substr(cut)));
        for (auto& one : take_all(replies)) got.push_back(std::move(one));
        REQUIRE(got == meant);
    }
    RedisReplies replies;
    std::vector<RedisValue> got;
    for (const char octet : octets) {
        REQUIRE(replies.feed({&octet, 1}));
        for (auto& one : take_all(replies)) got.push_back(std::move(one));
    }
    REQUIRE(got == meant);
}

TEST_CASE("what is no answer is told, and nothing is read behind it", "[redis]") {
    for (const std::string octets :
         {"220 mail.example ESMTP\r\n", "HTTP/1.1 400 Bad Request\r\n", "\r\n", "*2147483647\r\n",
          "*1000001\r\n", "*9223372036854775807\r\n", "*-2\r\n", ":\r\n", ":12a\r\n", "$-5\r\n",
          "*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n:1\r\n", ",1.5\r\n", "#t\r\n",
          "$1\r\nabc\r\n"}) {
        INFO(octets);
        RedisReplies replies;
        replies.feed(octets);
        const auto got = take_all(replies);
        // Of later protocols some libraries know more; a value is never made up.
        if (!replies.failed()) REQUIRE(got.empty());
        if (!replies.failed()) continue;
        replies.feed("+OK\r\n");
        REQUIRE(replies.take() == std::nullopt);
    }
}

TEST_CASE("an answer is bounded, and many answers are not", "[redis]") {
    RedisReplies replies;
    const std::string piece(1u << 20, 'x');
    REQUIRE(replies.feed("$900000000\r\n"));
    bool fed = true;
    std::size_t octets = 0;
    for (; fed && octets <= 2 * RedisReplies::most_octets; octets += piece.size()) fed = replies.feed(piece);
    REQUIRE_FALSE(fed);
    REQUIRE(octets <= RedisReplies::most_octets + piece.size());

    RedisReplies small;
    const std::string one = "$100000\r\n" + std::string(100'000, 'y') + "\r\n";
    for (int i = 0; i < 1000; ++i) {
        REQUIRE(small.feed(one));
        REQUIRE(small.take());
    }

    // Not by many lists within one another either.
    RedisReplies nested;
    std::string lists = "*1000\r\n";
    for (int i = 0; i < 1000; ++i)
        lists += "*1000\r\n" + [] {
            std::string out;
            for (int j = 0; j < 1000; ++j) out += ":1\r\n";
            return out;
        }();
    nested.feed(lists);
    REQUIRE(nested.take() == std::nullopt);
    REQUIRE(nested.failed());
}

TEST_CASE("whatever comes is read to an end", "[redis]") {
    std::mt19937 random(4711);
    const std::string octets = all_octets();
    for (int round = 0; round < 20'000; ++round) {
        std::string mutated = octets;
        for (unsigned change = random() % 4; change < 4; ++change)
            mutated[random() % mutated.size()] = "*$+-:\r\n0123456789\0x,%~>"[random() % 23];
        RedisReplies replies;
        for (std::size_t at = 0; at < mutated.size();) {
            const std::size_t some = 1 + random() % 20;
            replies.feed(std::string_view(mutated).substr(at, some));
            take_all(replies);
            at += some;
        }
    }
}

TEST_CASE("a command goes as it is meant, whatever is in it", "[redis]") {
    REQUIRE(to_octets({"SET", "a b", std::string("\r\n\0", 3), ""}) ==
            std::string("*4\r\n$3\r\nSET\r\n$3\r\na b\r\n$3\r\n\r\n") + '\0' + "\r\n$0\r\n\r\n");
}
