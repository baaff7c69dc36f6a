#include "agent/http/guests.h"

#include <catch2/catch.hpp>

#include "tests/unit/stepped_clock.h"

using namespace postern::agent;
using postern::relay::net::Connection;
using postern::relay::net::Socket;

namespace {

struct Place {
    postern::relay::net::io_context io{1};
    postern::tests::SteppedClock clock;
    Guests guests{4};

    GuestPtr made(const std::string& address) {
        return std::make_shared<Guest>(Connection::create(Socket(io), clock), HttpPeer{address, {}});
    }
    /// One that is let in if there is room.
    GuestPtr come(const std::string& address, Guest::Stage stage = Guest::Stage::reading) {
        auto guest = made(address);
        if (!guests.make_room(*guest)) return nullptr;
        guest->stage = stage;
        guests.add(guest);
        return guest;
    }
};

using Stage = Guest::Stage;

}  // namespace

TEST_CASE("whoever has been silent longest gives way") {
    Place place;
    const auto first = place.come("a"), second = place.come("a");
    place.come("a");
    place.come("a");
    CHECK_FALSE(first->sent_away);
    place.come("a");
    CHECK(first->sent_away);
    CHECK_FALSE(second->sent_away);
    place.come("a");  // the first is still there for a moment
    CHECK(second->sent_away);
}

TEST_CASE("whoever does not take his answer gives way after those who say nothing, work never") {
    Place place;
    const auto working = place.come("a", Stage::working), answering = place.come("a", Stage::answering);
    const auto reading = place.come("a");
    place.come("a", Stage::working);
    CHECK(place.come("a", Stage::working));
    CHECK(reading->sent_away);
    CHECK(place.come("a", Stage::working));
    CHECK(answering->sent_away);
    CHECK_FALSE(working->sent_away);
    CHECK(place.come("a", Stage::working));
    CHECK(place.come("a", Stage::working));
    CHECK_FALSE(place.come("a"));  // twice as many as there should be
}

TEST_CASE("one hand's many connections take nobody else's place") {
    Place place;
    const auto honest = place.come("b");
    for (int at = 0; at < 1000; ++at) REQUIRE(place.come("a"));
    CHECK_FALSE(honest->sent_away);
    CHECK(place.come("c"));
    CHECK_FALSE(honest->sent_away);
}

TEST_CASE("a hand that holds most gives way, though the newcomer is another's") {
    Place place;
    const auto a = place.come("a"), second = place.come("a"), b = place.come("b"), c = place.come("c");
    place.come("c");  // as many as a has: of equals the newcomer's own
    CHECK(c->sent_away);
    place.come("d");
    CHECK(a->sent_away);
    CHECK_FALSE(second->sent_away);
    CHECK_FALSE(b->sent_away);
}

TEST_CASE("where nobody holds more than another, the oldest gives way") {
    Place place;
    const auto first = place.come("0");
    for (int at = 1; at < 1000; ++at) REQUIRE(place.come(std::to_string(at)));
    CHECK(first->sent_away);
    std::size_t there = 0;
    for (const auto& guest : place.guests.all()) there += guest->sent_away ? 0 : 1;
    CHECK(there == 4);
}

TEST_CASE("accounts at a Unix socket are told apart") {
    Place place;
    const Guest one(Connection::create(Socket(place.io), place.clock), HttpPeer{"", 0});
    const Guest other(Connection::create(Socket(place.io), place.clock), HttpPeer{"", 1000});
    CHECK(one.hand != other.hand);
}

TEST_CASE("what of answers is held is counted by hand") {
    Place place;
    place.come("a")->held = 5;
    place.come("a")->held = 7;
    place.come("b")->held = 1;
    CHECK(place.guests.held("a") == 12);
    CHECK(place.guests.held("c") == 0);
    CHECK(place.guests.held() == 13);
}
