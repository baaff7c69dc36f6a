#include "sync/cluster/tellings.h"

#include <catch2/catch.hpp>

#include "sync/cluster/remembered.h"

using namespace postern;
using namespace postern::sync;

TEST_CASE("what is told goes in pieces of a bounded size, in its order", "[cluster]") {
    Tellings tellings;
    std::vector<base::Fact> facts;
    for (int i = 0; i < 1000; ++i) facts.push_back({"kind", std::string(1000, 'a') + std::to_string(i)});
    tellings.put(facts, {});
    tellings.put({}, "mx2");
    std::size_t at = 0;
    for (std::size_t piece = 0; piece < tellings.size(); ++piece) {
        std::size_t octets = 0;
        for (const auto& fact : tellings[piece].facts) {
            REQUIRE(fact == facts[at++]);
            octets += fact.text.size();
        }
        CHECK(octets <= Tellings::octets);
        CHECK(tellings[piece].number == piece + 1);
    }
    CHECK(at == facts.size());
    CHECK(tellings.told(2) == 0);  // not in its turn
    CHECK(tellings.told(1) > 0);
    CHECK(tellings[0].number == 2);
    CHECK(tellings.lost() == 0);
}

TEST_CASE("of what can be told to nobody the newest is kept", "[cluster]") {
    Tellings tellings;
    for (std::size_t i = 0; i < Tellings::most + 7; ++i) tellings.put({{"kind", std::to_string(i)}}, {});
    CHECK(tellings.size() == Tellings::most);
    CHECK(tellings.lost() == 7);
    CHECK(tellings[0].facts[0].text == "7");
}

TEST_CASE("what is told twice is heard once, and after a new start everything is", "[cluster]") {
    HeardBefore before;
    const auto heard = [](std::string name, std::string instance, std::uint64_t number) {
        return Heard{"1-1", std::move(name), std::move(instance), {number, {}, {}}};
    };
    CHECK(before.first(heard("mx1", "a", 1)));
    CHECK_FALSE(before.first(heard("mx1", "a", 1)));
    CHECK(before.first(heard("mx1", "a", 2)));
    CHECK(before.first(heard("mx2", "b", 1)));
    CHECK(before.first(heard("mx1", "c", 1)));
    CHECK_FALSE(before.first(heard("mx1", "c", 1)));
}

TEST_CASE("positions of a stream are compared as numbers", "[cluster]") {
    CHECK(is_behind("10-0", "9-5"));
    CHECK(is_behind("1700000000000-10", "1700000000000-9"));
    CHECK_FALSE(is_behind("9-5", "10-0"));
    CHECK_FALSE(is_behind("", "0-1"));
    CHECK(is_behind("1-1", ""));
    CHECK_FALSE(is_behind("nonsense", "1-1"));
}

TEST_CASE("how far it was heard is remembered as it was written, and nothing of anything else", "[cluster]") {
    const Remembered one{"1700000000000-3", "0123456789abcdef", 3};
    CHECK(decode_remembered(encode(one)) == one);
    for (const char* text :
         {"", "position 1-1", "generation x\nposition y\n", "nonsense\n\n",
          "position 1-1\ngeneration x\ngateways 0\n", "position 1-1\ngeneration x\ngateways many\n"})
        CHECK(decode_remembered(text) == Remembered());
}
