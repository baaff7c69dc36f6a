#include "sync/cluster/redis_format.h"

#include <sys/resource.h>

#include <catch2/catch.hpp>
#include <functional>
#include <random>

using namespace postern::sync;
using namespace std::string_literals;
using Is = RedisValue::Kind;
using Step = RedisReplyReader::Step;

namespace {

RedisValue text(std::string words) { return {Is::text, 0, std::move(words), {}}; }
RedisValue integer(std::int64_t number) { return {Is::integer, number, {}, {}}; }
RedisValue error(std::string words) { return {Is::error, 0, std::move(words), {}}; }
RedisValue list(std::vector<RedisValue> values) { return {Is::list, 0, {}, std::move(values)}; }

std::string written(const RedisValue& value) {
    switch (value.kind) {
        case Is::nothing: return "$-1\r\n";
        case Is::integer: return ":" + std::to_string(value.number) + "\r\n";
        case Is::text: return "$" + std::to_string(value.text.size()) + "\r\n" + value.text + "\r\n";
        case Is::error: return "-" + value.text + "\r\n";
        case Is::list: break;
    }
    std::string all = "*" + std::to_string(value.list.size()) + "\r\n";
    for (const RedisValue& one : value.list) all += written(one);
    return all;
}

std::string repeated(std::string_view what, std::size_t times) {
    std::string all;
    for (std::size_t i = 0; i < times; ++i) all += what;
    return all;
}

Step step_of(std::string_view octets, std::size_t answers = 1) {
    return RedisReplyReader(answers).feed(octets);
}

const std::string answers =
    "+OK\r\n:-42\r\n$-1\r\n*-1\r\n$0\r\n\r\n*0\r\n$12\r\none\r\ntwo\0\xff+:\r\n-ERR no such key\r\n"
    "*4\r\n:1\r\n*2\r\n$2\r\nab\r\n-ERR within\r\n$-1\r\n*1\r\n*0\r\n:9223372036854775807\r\n"s;
const std::vector<RedisValue> values = {
    text("OK"),
    integer(-42),
    {},
    {},
    text(""),
    list({}),
    text("one\r\ntwo\0\xff+:"s),
    error("ERR no such key"),
    list({integer(1), list({text("ab"), error("ERR within")}), {}, list({list({})})}),
    integer(INT64_MAX)};

}  // namespace

TEST_CASE("commands are written with the length of each word", "[redis]") {
    CHECK(redis_request({}).empty());
    CHECK(redis_request({{"PING"}, {"SET", "a b", "\r\n\0"s, ""}}) ==
          "*1\r\n$4\r\nPING\r\n*4\r\n$3\r\nSET\r\n$3\r\na b\r\n$3\r\n\r\n\0\r\n$0\r\n\r\n"s);
}

TEST_CASE("every kind of answer is read", "[redis]") {
    RedisReplyReader reader(values.size());
    REQUIRE(reader.feed(answers) == Step::complete);
    CHECK(reader.take() == values);
    CHECK(RedisReplyReader(0).feed("") == Step::complete);
}

TEST_CASE("wherever answers are cut they are the same, or have not all come", "[redis]") {
    for (std::size_t cut = 0; cut < answers.size(); ++cut) {
        INFO(cut);
        RedisReplyReader reader(values.size());
        REQUIRE(reader.feed(std::string_view(answers).substr(0, cut)) == Step::more);
        REQUIRE(reader.feed(std::string_view(answers).substr(cut)) == Step::complete);
        REQUIRE(reader.take() == values);
        RedisReplyReader begun(values.size());
        begun.feed(std::string_view(answers).substr(0, cut));
        const auto whole = begun.take();
        REQUIRE(whole.size() < values.size());
        REQUIRE(std::equal(whole.begin(), whole.end(), values.begin()));
    }
    RedisReplyReader reader(values.size());
    for (std::size_t i = 0; i + 1 < answers.size(); ++i)
        REQUIRE(reader.feed(std::string_view(answers).substr(i, 1)) == Step::more);
    REQUIRE(reader.feed(std::string_view(answers).substr(answers.size() - 1)) == Step::complete);
    CHECK(reader.take() == values);
}

TEST_CASE("any values come through in any pieces, and a changed octet ends in no fault", "[redis]") {
    std::mt19937 random(1);
    const auto below = [&](std::size_t most) { return random() % most; };
    const std::function<RedisValue(std::size_t)> any = [&](std::size_t depth) {
        switch (below(depth < RedisReplyReader::deepest ? 6 : 4)) {
            case 0: return RedisValue();
            case 1: return integer(static_cast<std::int64_t>(random()) - INT32_MAX);
            case 2: return error("ERR " + std::to_string(random()));
            case 3: {
                std::string octets(below(40) == 0 ? below(60'000) : below(30), ' ');
                for (char& c : octets) c = static_cast<char>(random());
                return text(std::move(octets));
            }
            default: break;
        }
        RedisValue made = list({});
        for (std::size_t left = below(6); left > 0; --left) made.list.push_back(any(depth + 1));
        return made;
    };
    for (int round = 0; round < 2000; ++round) {
        INFO(round);
        std::vector<RedisValue> wanted(1 + below(5));
        std::string octets;
        for (RedisValue& one : wanted) octets += written(one = any(0));
        RedisReplyReader reader(wanted.size());
        Step step = Step::more;
        for (std::string_view rest = octets; !rest.empty();) {
            REQUIRE(step == Step::more);
            const auto piece = 1 + below(below(3) == 0 ? 5 : 40'000);
            step = reader.feed(rest.substr(0, piece));
            rest.remove_prefix(std::min(piece, rest.size()));
        }
        REQUIRE(step == Step::complete);
        REQUIRE(reader.take() == wanted);
        octets[below(octets.size())] = "\r\n0123456789-+:$*_#,%~>=("[below(25)];
        RedisReplyReader other(wanted.size());
        if (other.feed(octets) == Step::complete) CHECK(other.take().size() == wanted.size());
    }
}

TEST_CASE("what is no answer is malformed", "[redis]") {
    for (const std::string wrong : {"220 mx.example ESMTP\r\n",
                                    "HTTP/1.1 400 Bad Request\r\n\r\n",
                                    "* OK IMAP4rev1\r\n",
                                    "\x15\x03\x03",
                                    "\r\n",
                                    ":\r\n",
                                    ":x\r\n",
                                    ":1 \r\n",
                                    ":9223372036854775808\r\n",
                                    "$x\r\n",
                                    "$\r\n",
                                    "$-2\r\n",
                                    "*x\r\n",
                                    "*-2\r\n",
                                    "$3\r\nabcd\r\n",
                                    "$3\r\nabc\n\r",
                                    "*2\r\n:1\r\nx",
                                    "_\r\n",
                                    "#t\r\n",
                                    ",1.5\r\n",
                                    "(1\r\n",
                                    "=7\r\ntxt:abc\r\n",
                                    "%1\r\n:1\r\n:1\r\n",
                                    "~1\r\n:1\r\n",
                                    ">1\r\n:1\r\n",
                                    "*1\r\n_\r\n",
                                    "+OK\r\n+OK\r\n",
                                    "+OK\r\n\n"}) {
        INFO(wrong);
        RedisReplyReader reader(1);
        REQUIRE(reader.feed(wrong) == Step::malformed);
        CHECK_FALSE(reader.words().empty());
        CHECK(reader.feed("+OK\r\n") == Step::malformed);
    }
    RedisReplyReader asked(1);
    REQUIRE(asked.feed("+OK\r\n") == Step::complete);
    CHECK(asked.feed("+") == Step::malformed);
    CHECK(step_of("+", 0) == Step::malformed);
}

TEST_CASE("what is announced takes no memory before it comes", "[redis]") {
    rusage before{}, after{};
    ::getrusage(RUSAGE_SELF, &before);
    std::vector<std::unique_ptr<RedisReplyReader>> kept;
    for (int i = 0; i < 100; ++i) {
        CHECK(kept.emplace_back(std::make_unique<RedisReplyReader>(1))->feed("*999999\r\n:1\r\n") ==
              Step::more);
        CHECK(kept.emplace_back(std::make_unique<RedisReplyReader>(1))->feed("$9223372036854775807\r\nabc") ==
              Step::more);
        CHECK(kept.emplace_back(std::make_unique<RedisReplyReader>(1))->feed("$1073741824\r\nabc") ==
              Step::more);
    }
    ::getrusage(RUSAGE_SELF, &after);
    CHECK(after.ru_maxrss - before.ru_maxrss < 100'000);  // KiB
}

TEST_CASE("answers are bounded in every way", "[redis]") {
    CHECK(step_of(repeated("*1\r\n", 7) + ":1\r\n") == Step::complete);
    CHECK(step_of(repeated("*1\r\n", 8)) == Step::too_large);
    CHECK(step_of(repeated("*1\r\n", 100'000)) == Step::too_large);
    for (const std::string size : {"1000000", "2147483647", "1152921504606846976", "2305843009213693952"})
        CHECK(step_of("*" + size + "\r\n") != Step::more);

    RedisReplyReader reader(1);
    CHECK(reader.feed("*999999\r\n" + repeated(":1\r\n", 999'999)) == Step::complete);
    CHECK(reader.take().front().list.size() == 999'999);
    CHECK(step_of("*999999\r\n" + repeated(":1\r\n", 999'998) + "*1\r\n") == Step::too_large);
    CHECK(step_of(repeated("*999\r\n" + repeated("$-1\r\n", 999), 1001), 1001) == Step::too_large);

    CHECK(step_of("+" + std::string(RedisReplyReader::longest_line, 'x') + "\r\n") == Step::complete);
    CHECK(step_of("+" + std::string(100'000, 'x')) == Step::too_large);
    CHECK(step_of("$" + std::string(100'000, '0')) == Step::too_large);
    CHECK(step_of("-ERR " + std::string(100'000, '\r')) == Step::too_large);

    const std::string piece(1u << 20, 'x');
    RedisReplyReader large(1), larger(1), many(70'000);
    CHECK(large.feed("$" + std::to_string(63u << 20) + "\r\n") == Step::more);
    for (int i = 0; i < 63; ++i) REQUIRE(large.feed(piece) == Step::more);
    CHECK(large.feed("\r\n") == Step::complete);
    CHECK(large.take().front().text.size() == 63u << 20);
    CHECK(larger.feed("$" + std::to_string(1u << 30) + "\r\n") == Step::more);
    for (int i = 0; i < 63; ++i) REQUIRE(larger.feed(piece) == Step::more);
    CHECK(larger.feed(piece) == Step::too_large);
    const std::string one = "$1000\r\n" + std::string(1000, 'x') + "\r\n";
    Step step = Step::more;
    for (int i = 0; i < 70'000 && step == Step::more; ++i) step = many.feed(one);
    CHECK(step == Step::too_large);
    CHECK(many.words() == "more than 64 MiB");
}
