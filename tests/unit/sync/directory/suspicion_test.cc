#include "sync/directory/suspicion.h"

#include <catch2/catch.hpp>

#include "tests/unit/sync/fixture.h"

using namespace postern::sync;
using namespace postern::tests;

TEST_CASE("what is a sudden loss", "[suspicion]") {
    struct Row {
        std::size_t before, after, gone;
        bool sudden;
    };
    const auto row = GENERATE(values<Row>({{0, 0, 0, false},
                                           {1, 0, 1, true},
                                           {1, 1, 1, true},
                                           {8, 8, 8, true},
                                           {8, 0, 8, true},
                                           {8, 1, 7, false},
                                           {50, 40, 10, false},
                                           {50, 39, 11, true},
                                           {55, 44, 11, false},
                                           {54, 43, 11, true},
                                           {100, 80, 20, false},
                                           {100, 79, 21, true},
                                           {100, 100, 21, true},
                                           {1000, 989, 11, false},
                                           {1000, 2000, 201, true}}));
    CAPTURE(row.before, row.after, row.gone);
    CHECK(sudden_loss({row.before, row.after, row.gone}) == row.sudden);
}

TEST_CASE("a loss is believed the third time", "[suspicion]") {
    std::optional<Suspicion> suspicion;
    const Difference loss{100, 50, 50};
    CHECK_FALSE(believe(suspicion, loss, at(1)));
    REQUIRE(suspicion);
    CHECK(suspicion->since == at(1));
    CHECK(suspicion->before == 100);
    CHECK(suspicion->now == 50);
    CHECK_FALSE(believe(suspicion, loss, at(2)));
    CHECK(suspicion->since == at(1));

    SECTION("as it was") {
        CHECK(believe(suspicion, loss, at(3)));
        CHECK_FALSE(suspicion);
    }
    SECTION("slightly smaller still") { CHECK(believe(suspicion, {100, 48, 52}, at(3))); }
    SECTION("not when it has grown") {
        CHECK_FALSE(believe(suspicion, {100, 0, 100}, at(3)));
        CHECK(suspicion->since == at(3));
        CHECK_FALSE(believe(suspicion, {100, 0, 100}, at(4)));
        CHECK(believe(suspicion, {100, 0, 100}, at(5)));
    }
    SECTION("not when all was there again in between") {
        CHECK(believe(suspicion, {100, 100, 0}, at(3)));
        CHECK_FALSE(suspicion);
        CHECK_FALSE(believe(suspicion, loss, at(4)));
    }
}

TEST_CASE("however often it comes, a loss is held back for its time", "[suspicion]") {
    std::optional<Suspicion> suspicion;
    const Difference loss{20, 0, 20};
    for (int second = 0; second < 3600; second += 60) {
        CAPTURE(second);
        // The wall clock is set forward meanwhile: that is no time that has passed.
        CHECK_FALSE(believe(suspicion, loss, at(second * 1000), {at(second), std::chrono::hours(1)}));
    }
    CHECK(believe(suspicion, loss, at(0), {at(3600), std::chrono::hours(1)}));
}

TEST_CASE("time alone is not enough to believe a loss", "[suspicion]") {
    std::optional<Suspicion> suspicion;
    const Difference loss{20, 0, 20};
    CHECK_FALSE(believe(suspicion, loss, at(0), {at(0), std::chrono::hours(1)}));
    CHECK_FALSE(believe(suspicion, loss, at(1), {at(7200), std::chrono::hours(1)}));
    CHECK(believe(suspicion, loss, at(2), {at(7201), std::chrono::hours(1)}));
}

TEST_CASE("a confirmed loss is believed when it comes again", "[suspicion]") {
    std::optional<Suspicion> suspicion;
    CHECK_FALSE(believe(suspicion, {5, 0, 5}, at(1)));
    suspicion->confirmed = true;
    SECTION("as it was confirmed") { CHECK(believe(suspicion, {5, 0, 5}, at(2))); }
    SECTION("but not a greater one") {
        suspicion = Suspicion{at(1), 100, 50, 1, true};
        CHECK_FALSE(believe(suspicion, {100, 20, 80}, at(2)));
        CHECK_FALSE(suspicion->confirmed);
    }
}
