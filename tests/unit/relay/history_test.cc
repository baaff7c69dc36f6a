#include "relay/volume/history.h"

#include <catch2/catch.hpp>
#include <cmath>

using namespace postern;
using namespace postern::relay;
using namespace std::chrono_literals;

namespace {

/// A Monday, and hours of the days that follow.
base::Time at(int day, int hour) {
    return base::Time(std::chrono::sys_days{std::chrono::year{2026} / 6 / 1}) + 24h * day + 1h * hour;
}

/// So many at ten o'clock of so many days.
History of_days(int days, std::uint32_t recipients) {
    History out;
    for (int day = 0; day < days; ++day) out.add(at(day, 10), recipients);
    return out;
}

}  // namespace

TEST_CASE("what is sent every day is what is usual at that hour and the two around it, and only there") {
    History history = of_days(12, 30);
    history.add(at(11, 12), 0);
    for (const int hour : {9, 10, 11}) REQUIRE(history.mean_hour(at(14, hour)) == Approx(30).epsilon(0.02));
    for (const int hour : {0, 8, 12, 23}) REQUIRE(history.mean_hour(at(14, hour)) == 0);
    REQUIRE(history.mean_day(at(14, 3)) == Approx(30).epsilon(0.02));
    REQUIRE(history.busiest_hour() == Approx(30).epsilon(0.02));
}

TEST_CASE("weekdays and weekends are apart") {
    History history;
    for (int day = 0; day < 28; ++day) history.add(at(day, 10), day % 7 >= 5 ? 2 : 50);
    history.add(at(27, 12), 0);
    REQUIRE(history.mean_hour(at(28, 10)) == Approx(50).epsilon(0.02));
    REQUIRE(history.mean_hour(at(33, 10)) == Approx(2).epsilon(0.05));
    REQUIRE(history.days(at(28, 0)) == 20);
    REQUIRE(history.days(at(33, 0)) == 8);
}

TEST_CASE("a week without mail counts, and half of it is left after two weeks") {
    History history = of_days(60, 64);
    const double before = history.mean_day(at(60, 0));
    history.add(at(74, 0), 0);
    REQUIRE(history.mean_day(at(74, 0)) == Approx(before / 2).epsilon(0.1));
    history.add(at(500, 0), 0);
    REQUIRE(history.mean_day(at(500, 0)) == 0);
}

TEST_CASE("the hour that is being counted is no history yet, and can be disregarded") {
    History history = of_days(5, 10);
    history.add(at(7, 9), 0);
    const double before = history.mean_hour(at(7, 10));
    history.add(at(7, 10), 4000);
    REQUIRE(history.mean_hour(at(7, 10)) <= before);
    REQUIRE(history.disregard(at(7, 11)) == 0);
    REQUIRE(history.disregard(at(7, 10)) == 4000);
    history.add(at(8, 10), 1);
    REQUIRE(history.mean_hour(at(8, 10)) < 11);
}

TEST_CASE("who is careful learns little of an hour that is much more than any before, but for what is sure") {
    History careful = of_days(10, 10), sure = careful;
    careful.be_careful();
    sure.be_careful();
    careful.add(at(14, 10), 10'000);
    sure.add(at(14, 10), 10'000, true);
    careful.add(at(15, 0), 0);
    sure.add(at(15, 0), 0);
    REQUIRE(careful.mean_hour(at(15, 10)) < 20);
    REQUIRE(sure.mean_hour(at(15, 10)) > 500);
}

TEST_CASE("what grows by a fifth from day to day is not usual soon, however long it goes on") {
    History history = of_days(20, 10);
    history.be_careful();
    double sent = 10;
    for (int day = 20; day < 50; ++day) {
        history.add(at(day, 10), static_cast<std::uint32_t>(sent));
        if (day % 7 < 5 && day > 34) REQUIRE(history.mean_hour(at(day, 10)) < sent / 2);
        sent *= 1.2;
    }
}

TEST_CASE("means of millions and of hundredths are kept well enough") {
    for (const double mean : {0.05, 0.5, 3.0, 100.0, 5000.0, 200'000.0}) {
        History::Means means{};
        means[0][10] = mean;
        const double kept = History::of_means(means).mean_hour(at(0, 10));
        REQUIRE(kept == Approx(mean).epsilon(mean < 1 ? 0.15 : 0.05));
    }
}

TEST_CASE("a clock that was ahead for a while does not make a history grow for ever") {
    for (const int ahead : {60, 400}) {
        History history = of_days(60, 10);
        history.add(at(60 + ahead, 10), 1);
        for (int day = 61; day < 240; ++day) history.add(at(day, 10), 10);
        REQUIRE(history.mean_hour(at(239, 10)) < 15);
        REQUIRE(history.mean_hour(at(239, 10)) > 5);
    }
}

TEST_CASE("a history reads back what it wrote, and nonsense as nothing or a part") {
    History history = of_days(40, 123);
    history.see_fresh(100, 7);
    history.add(at(40, 9), 17);
    const auto text = history.text();
    REQUIRE(History::of(text).text() == text);
    for (std::size_t size = 0; size < text.size(); ++size) {
        const History part = History::of(text.substr(0, size));
        REQUIRE(part.mean_hour(at(40, 10)) <= 130);
    }
    for (const char* nonsense : {"", "x", "-1 0 0 0 0 0 0 0", "99999999999999 0 0 0 0 0 0 0", "1 2 3",
                                 "20000 1 1 1 1 1 1 1 99=5 3=4", "20000 1 1 1 1 1 1 1 4=70000"})
        REQUIRE(History::of(nonsense).mean_hour(at(0, 10)) == 0);
}

TEST_CASE("the share of recipients that are new follows slowly") {
    History history;
    REQUIRE(history.fresh_share() == 1);
    for (int i = 0; i < 3000; ++i) history.see_fresh(1, i % 10 == 0 ? 1 : 0);
    REQUIRE(history.fresh_share() == Approx(0.1).margin(0.03));
    history.see_fresh(20, 20);
    REQUIRE(history.fresh_share() < 0.25);
}
