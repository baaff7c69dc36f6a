// What the server answers is believed only where it has the form that was asked for.
#include "sync/cluster/scripts.h"

#include <catch2/catch.hpp>
#include <random>

using namespace postern;
using namespace postern::sync;
using Form = RedisValue::Kind;

namespace {

RedisValue text(std::string words) { return {Form::text, 0, std::move(words), {}}; }
RedisValue list(std::vector<RedisValue> values) { return {Form::list, 0, {}, std::move(values)}; }

RedisValue good_beat() {
    return list({text("1700000000000"), text("1699999999000 inst0 1.0"), text("gen"), text("inst1"),
                 text("7"), text("5-1"),
                 list({text("mx1"), text("1699999990000 inst1 1.0"), text("mx2"),
                       text("1699999000000 inst2 1.1"), text("odd"), text("x")}),
                 list({text("main"), text("7 v1 1234"), text("bad"), text("no")})});
}

}  // namespace

TEST_CASE("a beat is read", "[cluster]") {
    const auto beat = read_beat(good_beat());
    REQUIRE(beat);
    CHECK(beat->now.count() == 1'700'000'000'000);
    CHECK(beat->before == "inst0");
    CHECK(beat->holder == "inst1");
    CHECK(beat->fence == 7);
    REQUIRE(beat->members.size() == 2);
    CHECK(beat->members[0].member.live);
    CHECK_FALSE(beat->members[1].member.live);
    CHECK(beat->members[1].member.version == "1.1");
    REQUIRE(beat->directories.size() == 1);
    CHECK(beat->directories[0].octets == 1234);
}

TEST_CASE("anything else is none", "[cluster]") {
    const auto good = good_beat();
    for (std::size_t at = 0; at < good.list.size(); ++at) {
        RedisValue bad = good;
        bad.list[at] = {};
        CHECK_FALSE(read_beat(bad));
        bad.list.erase(bad.list.begin() + static_cast<std::ptrdiff_t>(at));
        CHECK_FALSE(read_beat(bad));
    }
    CHECK_FALSE(read_beat({}));
    CHECK_FALSE(read_beat({Form::error, 0, "WRONGTYPE", {}}));
    CHECK_FALSE(read_heard(list({})));
    CHECK_FALSE(read_heard(list({list({text("facts"), text("x")})})));
    CHECK_FALSE(read_heard(list({list({text("facts"), list({text("x")})})})));
    CHECK(read_heard({})->empty());
    CHECK_FALSE(read_loaded({text("a"), text("b")}));
    base::CountQuestion question;
    question.name = "1r0bob";
    question.claim = 5;
    for (const auto& answer :
         {RedisValue(), list({}), list({{Form::integer, 6, {}, {}}, text(""), text("")}),
          list({{Form::integer, -1, {}, {}}, text(""), text("")}), list({text("1"), text(""), text("")})})
        CHECK_FALSE(read_count(question, answer).answered);
    CHECK(read_count(question, list({{Form::integer, 5, {}, {}}, text("1=2"), text("")})).answered);
}

TEST_CASE("entries that are not of us are passed, and known to be", "[cluster]") {
    const auto entry = [](const char* position, std::vector<RedisValue> fields) {
        return list({text(position), list(std::move(fields))});
    };
    const auto heard = read_heard(list(
        {list({text("facts"),
               list({entry("1-1", {text("who"), text("knows")}),
                     entry("1-2", {text("from"), text("mx1"), text("instance"), text("i"), text("number"),
                                   text("3"), text("to"), text(""), text("kind"), text("words")}),
                     entry("1-3", {text("from"), text("mx1"), text("instance"), text("i"), text("number"),
                                   text("x"), text("to"), text("")})})})}));
    REQUIRE(heard);
    REQUIRE(heard->size() == 3);
    CHECK((*heard)[0].name.empty());
    CHECK((*heard)[0].position == "1-1");
    CHECK((*heard)[1].name == "mx1");
    CHECK((*heard)[1].telling.facts == std::vector<base::Fact>{{"kind", "words"}});
    CHECK((*heard)[2].name.empty());
}
