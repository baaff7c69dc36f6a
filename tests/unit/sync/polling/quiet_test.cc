#include "sync/polling/quiet.h"

#include <catch2/catch.hpp>

using namespace postern;
using namespace postern::sync;
using namespace std::chrono_literals;

namespace {

constexpr base::Moment now{1000h};
constexpr Time wall{48h};

/// How long a primary is left alone after a failure; up to two hours.
std::chrono::seconds quiet_after(Fault fault, std::optional<std::chrono::seconds> retry_after = {}) {
    Quiet quiet;
    quiet.failed({fault, "", retry_after}, now, wall);
    std::chrono::seconds past{0};
    while (!quiet.over(now + past) && past < 2h) past += 1s;
    return past;
}

}  // namespace

TEST_CASE("what concerns the primary as a whole keeps it quiet for a while", "[quiet]") {
    CHECK(Quiet().over(now));
    CHECK(quiet_after(Fault::unreachable) == 5s);
    CHECK(quiet_after(Fault::busy) == 5s);
    CHECK(quiet_after(Fault::credentials) == 1h);
    for (const Fault one : {Fault::refused, Fault::unreadable, Fault::unauthorised, Fault::interrupted})
        CHECK(quiet_after(one) == 0s);
}

TEST_CASE("Retry-After is obeyed within reason", "[quiet]") {
    CHECK(quiet_after(Fault::busy, 60s) == 60s);
    CHECK(quiet_after(Fault::busy, 1s) == 5s);
    CHECK(quiet_after(Fault::busy, std::chrono::hours(24)) == 10min);
    CHECK(quiet_after(Fault::refused, 60s) == 0s);
    CHECK(quiet_after(Fault::credentials, 60s) == 1h);
}

TEST_CASE("nobody is asked while the readings find the credentials refused", "[quiet]") {
    Quiet quiet;
    quiet.heard(true, {});
    CHECK_FALSE(quiet.over(now));
    quiet.heard(false, {});
    CHECK(quiet.over(now));
}

TEST_CASE("a reading that goes well after the refusal ends the hour", "[quiet]") {
    Quiet quiet;
    quiet.failed({Fault::credentials, "", {}}, now, wall);
    quiet.heard(false, wall - 1s);
    CHECK_FALSE(quiet.over(now + 1s));
    quiet.heard(false, wall + 1s);
    CHECK(quiet.over(now + 1s));

    // Any other failure is over with its own time.
    quiet.failed({Fault::busy, "", 60s}, now, wall);
    quiet.heard(false, wall + 2s);
    CHECK_FALSE(quiet.over(now + 1s));
}
