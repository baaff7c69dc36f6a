#include "agent/status/readiness.h"

#include <catch2/catch.hpp>

#include "agent/log/egress_state.h"

using namespace postern;
using namespace postern::agent;

namespace {

const base::Time noon = std::chrono::sys_days(std::chrono::year(2026) / 1 / 2) + std::chrono::hours(12);

}  // namespace

TEST_CASE("ready is: relay takes mail, every directory is known, no credentials are refused") {
    relay::State state;
    sync::Report report;
    report.primaries.resize(1);
    report.primaries[0].name = "main";
    report.primaries[0].last_success = noon;
    CHECK(reasons_not_ready(state, report, true, noon).empty());

    SECTION("relay does not take mail") {
        state.not_ready = "the disk is full";
        CHECK(reasons_not_ready(state, report, true, noon) == std::vector<std::string>{"the disk is full"});
    }
    SECTION("the directory was never read") {
        report.primaries[0].last_success = {};
        report.primaries[0].error = "connection refused";
        CHECK(reasons_not_ready(state, report, true, noon) ==
              std::vector<std::string>{
                  "primary main: its directory has not been read yet: connection refused"});
        CHECK(reasons_not_ready(state, report, false, noon).empty());
    }
    SECTION("the domains are listed, and the first round goes on") {
        report.primaries[0].last_success = {};
        report.domains.resize(3);
        for (auto& domain : report.domains) domain.primary = "main";
        report.domains[0].read = noon;
        report.domains[1].enabled = false;  // is not read
        CHECK(reasons_not_ready(state, report, true, noon).empty());
    }
    SECTION("what the cache gave is enough") {
        report.primaries[0].last_success = {};
        report.domains.resize(1);
        report.domains[0].primary = "main";
        report.domains[0].read = noon;
        CHECK(reasons_not_ready(state, report, true, noon).empty());
        report.domains[0].primary = "other";
        CHECK(reasons_not_ready(state, report, true, noon).size() == 1);
    }
    SECTION("credentials are refused") {
        report.primaries[0].refused_since = noon;
        REQUIRE(reasons_not_ready(state, report, true, noon).size() == 1);
        CHECK_THAT(reasons_not_ready(state, report, true, noon)[0],
                   Catch::Contains("credentials refused since 2026-01-02T12:00:00.000Z"));
    }
    SECTION("older than it is trusted") {
        using namespace std::chrono_literals;
        report.domains.resize(2);
        for (auto& domain : report.domains) {
            domain.primary = "main";
            domain.read = noon - 72h;
            domain.trusted_until = noon;
        }
        report.domains[0].name = "example.com";
        report.domains[1].trusted_until = noon + 1h;
        report.domains[0].error = "users: HTTP status 500";
        CHECK(reasons_not_ready(state, report, true, noon).empty());
        CHECK(reasons_not_ready(state, report, true, noon + 1s) ==
              std::vector<std::string>{"primary main: what is known of example.com is older than trust_for "
                                       "since 2026-01-02T12:00:00.000Z: users: HTTP status 500"});
        CHECK(reasons_not_ready(state, report, false, noon + 1s).empty());
        report.primaries[0].trusted_until = noon;
        report.primaries[0].error = "cannot connect";
        CHECK(reasons_not_ready(state, report, true, noon + 2h) ==
              std::vector<std::string>{"primary main: its list of domains is older than trust_for since "
                                       "2026-01-02T12:00:00.000Z: cannot connect"});
    }
}

TEST_CASE("degraded is: no address is left that mail could leave from") {
    relay::EgressView first, second, system;
    first.address = "192.0.2.20";
    second.address = "192.0.2.21";
    relay::ListingView everywhere, somewhere;
    everywhere.by = "blocklist zen.example";
    everywhere.until = noon;
    somewhere.site = "mx.d.example";
    CHECK(reasons_degraded({}).empty());
    CHECK(reasons_degraded({first, second}).empty());
    second.listings = {somewhere};
    CHECK(reasons_degraded({first, second}).empty());
    first.suspended = true;
    CHECK_FALSE(is_usable(first));
    CHECK(reasons_degraded({first, second}).size() == 1);
    second.listings.clear();
    CHECK(reasons_degraded({first, second}).empty());
    second.listings = {somewhere, everywhere};
    CHECK(
        reasons_degraded({first, second, system}) ==
        std::vector<std::string>{
            "no address is left that mail could leave from, so mail for mail exchangers waits: 192.0.2.20 is "
            "suspended, 192.0.2.21 is listed by blocklist zen.example until 2026-01-02T12:00:00.000Z"});
    second.listings[1].probing = true;
    CHECK(reasons_degraded({first, second}) ==
          std::vector<std::string>{"every address is listed by mx.d.example, so mail for it waits"});
    second.listings = {somewhere};
    second.listings[0].site = "mx.d.example";
    CHECK(reasons_degraded({second}) ==
          std::vector<std::string>{"every address is listed by mx.d.example, so mail for it waits"});
    second.listings[0].probing = true;
    CHECK(reasons_degraded({second}).empty());
    second.listings.assign(12, somewhere);
    for (std::size_t i = 0; i < 12; ++i) second.listings[i].site += std::to_string(i);
    CHECK(reasons_degraded({second}).size() == 11);
    CHECK(reasons_degraded({second}).back() == "the same of 2 more sites");
    relay::EgressView third;
    third.address = "192.0.2.22";
    CHECK(reasons_degraded({second, third}).empty());
    system.listings = {everywhere};
    CHECK_THAT(reasons_degraded({system}).at(0), Catch::Contains("waits: system is listed"));
}

TEST_CASE("a primary that is not reached is told, also since a start from what is on disk") {
    sync::Report report;
    report.primaries.resize(1);
    report.primaries[0].name = "main";
    report.primaries[0].reachable = false;
    CHECK(directory_troubles(report).empty());  // it is being asked for the first time
    report.primaries[0].error = "connection refused";
    CHECK(directory_troubles(report).empty());  // not ready, which says more
    report.domains.resize(1);
    report.domains[0].primary = "main";
    REQUIRE(directory_troubles(report).size() == 1);
    CHECK_THAT(directory_troubles(report)[0], Catch::Contains("since this start: connection refused"));
    report.primaries[0].last_success = noon;
    CHECK_THAT(directory_troubles(report)[0],
               Catch::Contains("since its last reading at 2026-01-02T12:00:00.000Z"));
}

TEST_CASE("next hops of the configuration that mail waits for are told") {
    relay::State state;
    const auto add = [&](const char* route, std::size_t waiting, const char* trouble) {
        relay::DestinationView view;
        view.route = route;
        view.waiting = waiting;
        view.trouble = trouble;
        view.next_try = noon;
        state.destinations.push_back(view);
    };
    add("primary:main", 2, "connection refused");
    add("gateway:archive", 1, "timed out");
    add("gateway:idle", 0, "timed out");
    add("gateway:well", 5, "");
    add("mx:dest.example", 5, "timed out");
    const auto told = next_hop_troubles(state);
    REQUIRE(told.size() == 2);
    CHECK_THAT(told[0],
               Catch::StartsWith("mail back to primary main waits, next try 2026-01-02T12:00:00.000Z") &&
                   Catch::EndsWith(": connection refused"));
    CHECK_THAT(told[1], Catch::StartsWith("mail through gateway archive waits"));
}

TEST_CASE("who leaves the polling to another gateway is ready by what that has handed on") {
    relay::State state;
    sync::Report report;
    report.primaries.resize(1);
    auto& primary = report.primaries[0];
    primary.name = "main";
    primary.reachable = true;
    primary.polled_by = "gw2";
    CHECK(reasons_not_ready(state, report, true, noon) ==
          std::vector<std::string>{
              "primary main: its directory has not been read yet; it is polled by gateway gw2"});
    primary.last_success = noon;
    CHECK(reasons_not_ready(state, report, true, noon).empty());
    CHECK(directory_troubles(report).empty());

    SECTION("though its own credentials are refused, which is told") {
        primary.refused_since = noon;
        CHECK(reasons_not_ready(state, report, true, noon).empty());
        REQUIRE(directory_troubles(report).size() == 1);
        CHECK(directory_troubles(report)[0] ==
              "primary main would not let this gateway poll it; it is polled by gateway gw2: credentials "
              "refused since 2026-01-02T12:00:00.000Z; correct username or password_file, then run "
              "\"postern sync\"");
        primary.polled_by.clear();  // the other is gone
        CHECK(reasons_not_ready(state, report, true, noon).size() == 1);
        CHECK(directory_troubles(report).empty());
    }
    SECTION("though its own last request failed") {
        primary.error = "connection refused";
        CHECK(reasons_not_ready(state, report, true, noon).empty());
        CHECK(directory_troubles(report).empty());
    }
    SECTION("until that is too old") {
        primary.trusted_until = noon;
        CHECK(reasons_not_ready(state, report, true, noon + std::chrono::seconds(1)) ==
              std::vector<std::string>{"primary main: its list of domains is older than trust_for since "
                                       "2026-01-02T12:00:00.000Z; it is polled by gateway gw2"});
    }
}

TEST_CASE("other gateways that cannot be asked are told, and one that is not meant is not") {
    using Standing = sync::ClusterView::Standing;
    sync::ClusterView view;
    CHECK(cluster_troubles(view).empty());
    view.on = true;
    view.since = noon;
    view.gateways = 3;
    view.standing = Standing::reached;
    CHECK(cluster_troubles(view).empty());
    view.standing = Standing::away;
    view.why = "127.0.0.1:6379: connection refused";
    CHECK(cluster_troubles(view) ==
          std::vector<std::string>{
              "other gateways cannot be asked since 2026-01-02T12:00:00.000Z: 127.0.0.1:6379: connection "
              "refused; each goes by what it knows and a share of each limit (one of 3)"});
    view.standing = Standing::slow;
    view.why = "redis takes longer than 50 ms to answer";
    view.twin = "another gateway is called mx1 too";
    CHECK(cluster_troubles(view).size() == 2);
}
