#include "relay/volume/judgement.h"

#include <catch2/catch.hpp>

using namespace postern;
using namespace postern::relay;

namespace {

const UsualVolume usual{40, 100, 10};

VolumeEvidence strangers(std::uint64_t recipients) {
    VolumeEvidence out;
    out.recipients = out.fresh = recipients;
    out.fresh_usual = 0.1;
    return out;
}

}  // namespace

TEST_CASE("what is only much is noted, and slowed down when it is very much") {
    REQUIRE(judge_volume(usual, {40, 40}, {}).level == VolumeLevel::usual);
    REQUIRE(judge_volume(usual, {41, 41}, {}).level == VolumeLevel::noted);
    REQUIRE(judge_volume(usual, {200, 200}, {}).level == VolumeLevel::noted);
    const auto slowed = judge_volume(usual, {201, 201}, {});
    REQUIRE(slowed.level == VolumeLevel::slowed);
    REQUIRE(slowed.why == "201 recipients in an hour, where up to 40 are usual");
    REQUIRE(judge_volume(usual, {10, 501}, {}).why == "501 recipients in a day, where up to 100 are usual");
}

TEST_CASE("the more speaks against a sender the less is let pass") {
    REQUIRE(judge_volume(usual, {60, 60}, strangers(60)).level == VolumeLevel::slowed);
    REQUIRE(judge_volume(usual, {50, 50}, strangers(50)).level == VolumeLevel::noted);
    auto odd = strangers(41);
    odd.odd_hour = true;
    const auto judged = judge_volume(usual, {41, 41}, odd);
    REQUIRE(judged.level == VolumeLevel::slowed);
    REQUIRE(
        judged.why ==
        "41 recipients in an hour, where up to 40 are usual; 100 % never written to before; at an hour that "
        "it never sends at");
    // Whoever always writes to strangers does nothing odd.
    auto seller = strangers(60);
    seller.fresh_usual = 0.9;
    REQUIRE(judge_volume(usual, {60, 60}, seller).level == VolumeLevel::noted);
    auto domain = strangers(6);
    domain.domain = true;
    REQUIRE(judge_volume(usual, {17, 17}, domain).level == VolumeLevel::slowed);
    REQUIRE(judge_volume(usual, {16, 16}, domain).level == VolumeLevel::usual);
}

TEST_CASE("nothing is held unless receivers say so and it is more than usual") {
    VolumeEvidence bad;
    bad.answered = 30;
    bad.unknown = 4;
    bad.spam = 4;
    REQUIRE(judge_volume(usual, {39, 39}, bad).level == VolumeLevel::usual);
    REQUIRE(judge_volume(usual, {41, 41}, bad).level == VolumeLevel::held);
    bad.answered = 200;  // eight of two hundred is what lists are like
    REQUIRE(judge_volume(usual, {41, 41}, bad).level == VolumeLevel::noted);
    auto everything = strangers(1000);
    everything.odd_hour = true;
    REQUIRE(judge_volume(usual, {1000, 1000}, everything).level == VolumeLevel::slowed);
    everything.named = true;
    everything.named_by = "550 5.1.8 bad outbound sender";
    REQUIRE(judge_volume(usual, {1000, 1000}, everything).level == VolumeLevel::held);
}

TEST_CASE("a reply names an account when it says that, not when it repeats it") {
    const Reply microsoft{550, {5, 1, 8}, "Access denied, bad outbound sender"};
    REQUIRE(names_account(microsoft, "bob@example.com"));
    REQUIRE(names_account({550, {5, 7, 1}, "sender Bob@Example.com is blocked for spam"}, "bob@example.com"));
    REQUIRE_FALSE(names_account({550, {5, 1, 1}, "bob@example.com: no such user here"}, "bob@example.com"));
    REQUIRE_FALSE(names_account({550, {5, 7, 1}, "blocked for spam"}, "bob@example.com"));
    REQUIRE_FALSE(names_account({250, {2, 0, 0}, "bob@example.com spam"}, "bob@example.com"));
}

TEST_CASE("what receivers say of a recipient") {
    REQUIRE(receiver_says({250, {2, 0, 0}, "ok"}, false) == ReceiverSays::taken);
    REQUIRE(receiver_says({550, {5, 1, 1}, "x"}, false) == ReceiverSays::unknown);
    REQUIRE(receiver_says({550, {}, "User unknown in virtual mailbox table"}, false) ==
            ReceiverSays::unknown);
    REQUIRE(receiver_says({554, {5, 7, 1}, "Message rejected as SPAM"}, false) == ReceiverSays::spam);
    REQUIRE(receiver_says({450, {4, 7, 1}, "looks like spam, greylisted"}, false) == ReceiverSays::other);
    REQUIRE(receiver_says({552, {5, 3, 4}, "too large"}, false) == ReceiverSays::other);
    REQUIRE(receiver_says({}, true) == ReceiverSays::unknown);
    REQUIRE(receiver_says({}, false) == ReceiverSays::other);
}
