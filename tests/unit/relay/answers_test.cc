#include "relay/volume/answers.h"

#include <catch2/catch.hpp>

#include "relay/volume/tally.h"

using namespace postern;
using namespace postern::relay;
using namespace std::chrono_literals;

namespace {

/// How the next message of somebody is judged of whom so many are refused as spam.
VolumeLevel level_after_refusals(bool by_screening, const char* route) {
    const base::SystemClock clock;
    Tally tally;
    Watch watch(tally);
    watch.reload(UnusualSettings{UnusualSettings::Mode::enforce, 0s}, true);
    Observer nobody;
    Answers answers(nobody, watch, clock);
    const VolumeSender sender("bob", "a.example", "main");
    VolumeAnswer last;
    for (std::uint64_t at = 1; at <= 60; ++at) {
        Tally::Charge charge;
        REQUIRE_FALSE(tally.take(charge, sender, clock.steady(), false));
        const std::vector<std::uint64_t> to{at * 0x9e3779b97f4a7c15ull};
        const WatchedMail mail{sender, to, 0, "a subject"};
        last = watch.judge(mail, clock.steady(), clock.wall());
        watch.accepted(mail, last, clock.steady(), clock.wall());
        charge.keep();
        event::Bounced refused{};
        refused.from = "bob@a.example";
        refused.route = route;
        refused.stage = "dot";
        refused.reply = Reply{554, {5, 7, 1}, "this is spam"};
        refused.by_screening = by_screening;
        answers.on(refused);
    }
    return last.level;
}

}  // namespace

TEST_CASE(
    "what receivers refuse speaks against a sender; what a screening gateway does, or a primary, does not") {
    CHECK(level_after_refusals(false, "mx:dest.example") >= VolumeLevel::slowed);
    CHECK(level_after_refusals(true, "gateway:dlp") < VolumeLevel::slowed);
    CHECK(level_after_refusals(false, "primary:main") < VolumeLevel::slowed);
}
