#include "agent/readiness.h"

#include <catch2/catch.hpp>

using namespace postern;
using namespace postern::agent;

TEST_CASE("ready is: relay takes mail, every directory is known, no credentials are refused") {
    relay::State state;
    sync::Report report;
    report.primaries.resize(1);
    report.primaries[0].name = "main";
    report.primaries[0].last_success = std::chrono::system_clock::now();
    CHECK(reasons_not_ready(state, report, true).empty());

    SECTION("relay does not take mail") {
        state.not_ready = "the disk is full";
        CHECK(reasons_not_ready(state, report, true) == std::vector<std::string>{"the disk is full"});
    }
    SECTION("the directory was never read") {
        report.primaries[0].last_success = {};
        report.primaries[0].error = "connection refused";
        CHECK(reasons_not_ready(state, report, true) ==
              std::vector<std::string>{
                  "primary main: its directory has not been read yet: connection refused"});
        CHECK(reasons_not_ready(state, report, false).empty());
    }
    SECTION("the first round goes on, without a cache") {
        report.primaries[0].last_success = {};
        report.domains.resize(3);
        for (auto& domain : report.domains) domain.primary = "main";
        report.domains[0].read = std::chrono::system_clock::now();
        report.domains[1].enabled = false;  // is not read
        CHECK(reasons_not_ready(state, report, true) ==
              std::vector<std::string>{
                  "primary main: its directory is being read for the first time, 2 of 3 domains so far"});
        CHECK(reasons_not_ready(state, report, false).empty());
        report.primaries[0].last_round = std::chrono::system_clock::now();  // it has failed in the middle
        CHECK(reasons_not_ready(state, report, true).empty());
    }
    SECTION("what the cache gave is enough") {
        report.primaries[0].last_success = {};
        report.domains.resize(1);
        report.domains[0].primary = "main";
        report.domains[0].read = std::chrono::system_clock::now();
        CHECK(reasons_not_ready(state, report, true).empty());
        report.domains[0].primary = "other";
        CHECK(reasons_not_ready(state, report, true).size() == 1);
    }
    SECTION("credentials are refused") {
        report.primaries[0].refused_since = std::chrono::system_clock::now();
        REQUIRE(reasons_not_ready(state, report, true).size() == 1);
        CHECK_THAT(reasons_not_ready(state, report, true)[0],
                   Catch::Contains("credentials refused since 20"));
    }
}
