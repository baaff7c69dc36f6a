#include "relay/mail/message.h"

#include <algorithm>
#include <catch2/catch.hpp>
#include <limits>
#include <random>

using namespace postern::relay;

TEST_CASE("a message id survives being written, and texts sort as ids do", "[message]") {
    std::mt19937_64 random(1);
    std::vector<MessageId> ids{
        {0}, {1}, {31}, {32}, {255}, {256}, {std::numeric_limits<std::uint64_t>::max()}};
    for (int times = 0; times < 2000; ++times) ids.push_back({random() >> (random() % 64)});
    std::sort(ids.begin(), ids.end());
    for (std::size_t at = 0; at < ids.size(); ++at) {
        std::string text = ids[at].text();
        REQUIRE(text.size() == 13);
        REQUIRE(MessageId::parse(text) == ids[at]);
        REQUIRE((at == 0 || (ids[at - 1] < ids[at]) == (ids[at - 1].text() < text)));
    }
}

TEST_CASE("what is no message id is refused", "[message]") {
    std::string highest = MessageId{std::numeric_limits<std::uint64_t>::max()}.text();
    std::string beyond = highest;
    beyond[0] = 'z';
    for (const std::string& bad :
         {std::string(), std::string("0"), std::string(12, '0'), std::string(14, '0'), beyond,
          std::string("../0000000000"), std::string("ABCDEFGHIJKLM"), std::string(13, '\0'),
          std::string(13, '\xff'), std::string("00000 0000000")})
        CHECK_FALSE(MessageId::parse(bad));
}

TEST_CASE("a message id tells when its message arrived", "[message]") {
    using namespace std::chrono;
    Time time = Time(microseconds(1'700'000'000'123'456));
    CHECK(MessageId::first_at(time).arrived() == time);
    CHECK(MessageId{MessageId::first_at(time).value + 255}.arrived() == time);
    CHECK(MessageId::first_at(time) < MessageId::first_at(time + microseconds(1)));
    CHECK(MessageId::first_at(Time(microseconds(-5))) == MessageId{});
}
