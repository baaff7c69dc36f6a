#include "sync/sync.h"

#include <catch2/catch.hpp>
#include <map>
#include <thread>

#include "tests/support/primary_double.h"
#include "tests/unit/sync/fixture.h"
#include "tests/unit/sync/primary/raw_server.h"

using namespace postern::sync;
using namespace postern::tests;
using namespace std::chrono_literals;

namespace {

Time now() { return std::chrono::system_clock::now(); }

struct Site {
    PrimarySettings settings(const std::string& url) const {
        PrimarySettings primary;
        primary.name = "main";
        primary.url = url;
        primary.username = "gateway";
        primary.password_file = folder.path() / "password";
        primary.gap = 0ms;
        return primary;
    }
    std::unique_ptr<Sync> open(const std::string& url) {
        return std::make_unique<Sync>(std::vector{settings(url)}, folder.path(), recorder, machine,
                                      system_disk, [this](std::shared_ptr<const Snapshot>) { ++published; });
    }
    Site() { folder.write("password", "secret\n"); }

    Folder folder;
    Recorder recorder;
    std::atomic<int> published = 0;
};

Reason reason(const Sync& sync, const char* local, const char* domain) {
    return sync.snapshot()->address(local, domain, now()).reason;
}

}  // namespace

TEST_CASE("from nothing to verdicts, and a restart with the primary down", "[sync]") {
    Site site;
    std::string url, client_id;
    {
        PrimaryDouble primary(example_world());
        url = primary.url();
        const auto sync = site.open(url);
        CHECK(reason(*sync, "alice", "example.com") == Reason::never_synced);
        sync->start();
        wait_for([&] { return site.recorder.count("synced main") == 1; });
        CHECK(sync->report().primaries[0].last_success != Time{});
        CHECK(reason(*sync, "alice", "example.com") == Reason::user);
        CHECK(reason(*sync, "nobody", "example.com") == Reason::no_such_user);
        CHECK(reason(*sync, "carol", "example.com") == Reason::user_disabled);
        CHECK(reason(*sync, "dave", "example.com") == Reason::user);
        CHECK(reason(*sync, "sales", "example.org") == Reason::alias);
        CHECK(reason(*sync, "retired", "example.com") == Reason::no_such_user);
        CHECK(reason(*sync, "closed", "example.com") == Reason::no_such_user);
        CHECK(reason(*sync, "news", "example.com") == Reason::mailing_list);
        CHECK(reason(*sync, "listserv", "example.com") == Reason::list_command);
        CHECK(reason(*sync, "room1", "example.com") == Reason::user);
        CHECK(reason(*sync, "anyone", "example.net") == Reason::catch_all);
        CHECK(reason(*sync, "frank", "disabled.example") == Reason::domain_disabled);
        CHECK(reason(*sync, "alice", "elsewhere.example") == Reason::no_such_domain);
        CHECK(site.published > 0);

        const Report report = sync->report();
        REQUIRE(report.domains.size() == 3);
        CHECK(report.domains[1].name == "example.com");
        CHECK(report.domains[1].users == 4);
        CHECK(report.primaries[0].error.empty());
        CHECK(report.primaries[0].requests == primary.requests()["count"]);
        client_id = primary.requests()["requests"][0]["client_id"];
        CHECK(client_id.starts_with("postern-"));
        sync->stop();
    }
    const auto sync = site.open(url);
    CHECK(reason(*sync, "alice", "example.com") == Reason::user);
    CHECK(reason(*sync, "nobody", "example.com") == Reason::no_such_user);
    CHECK(sync->report().domains.size() == 3);
    sync->start();
    wait_for([&] { return site.recorder.count("failed main") == 1; });
    CHECK(reason(*sync, "alice", "example.com") == Reason::user);
    CHECK(reason(*sync, "nobody", "example.com") == Reason::no_such_user);
    wait_for([&] { return !sync->report().primaries[0].error.empty(); });
    CHECK_FALSE(sync->report().primaries[0].reachable);
    sync->stop();

    PrimaryDouble again(example_world());
    const auto third = site.open(again.url());
    third->start();
    wait_for([&] { return again.requests()["count"] > 0; });
    CHECK(again.requests()["requests"][0]["client_id"] == client_id);
}

TEST_CASE("changes on the primary are seen at the next poll", "[sync]") {
    Site site;
    Json world = example_world();
    PrimaryDouble primary(world);
    const auto sync = site.open(primary.url());
    sync->start();
    wait_for([&] { return reason(*sync, "alice", "example.com") == Reason::user; });
    wait_for([&] { return site.recorder.count("synced main") == 1; });

    world["domains"][0]["users"] = {"alice", "zoe"};
    world["domains"].push_back({{"name", "new.example"}, {"users", {"ann"}}});
    primary.set_world(world);
    sync->poll_now();
    wait_for([&] { return reason(*sync, "ann", "new.example") == Reason::user; });
    wait_for([&] { return reason(*sync, "zoe", "example.com") == Reason::user; });
    CHECK(reason(*sync, "bob", "example.com") == Reason::no_such_user);
}

TEST_CASE("a list that goes missing erases nobody", "[sync]") {
    Site site;
    PrimaryDouble primary(example_world());
    const auto sync = site.open(primary.url());
    sync->start();
    wait_for([&] { return site.recorder.count("synced main") == 1; });
    std::size_t rounds = 1;
    for (const Json& switches :
         {Json{{"missing_keys", {"userData", "results", "gridInfo", "items", "domainAliasData"}}},
          Json{{"missing_keys", Json::array()},
               {"html", {"settings/domain", "settings/sysadmin/list-users"}}},
          Json{{"html", Json::array()}, {"cut", {"settings/domain", "settings/sysadmin/list-users"}}}}) {
        CAPTURE(switches.dump());
        primary.set_switches(switches);
        sync->poll_now();
        ++rounds;
        wait_for([&] { return site.recorder.count("synced main") == rounds; });
        for (const char* local : {"alice", "sales", "news", "listserv", "room1"})
            CHECK(sync->snapshot()->address(local, "example.org", now()).standing == Standing::good);
    }
    wait_for([&] { return !sync->report().domains[1].error.empty(); });
    CHECK(sync->report().primaries[0].error.find("2 domains") == 0);
}

TEST_CASE("a lost list of domains erases no domain", "[sync]") {
    Site site;
    PrimaryDouble primary(example_world());
    const auto sync = site.open(primary.url());
    sync->start();
    wait_for([&] { return site.recorder.count("synced main") == 1; });
    std::size_t failures = 0;
    for (const Json& switches :
         {Json{{"missing_keys", {"data"}}},
          Json{{"missing_keys", Json::array()}, {"html", {"settings/sysadmin/domain"}}},
          Json{{"html", Json::array()}, {"truncate", {"settings/sysadmin/domain"}}},
          Json{{"truncate", Json::array()}, {"starting", true}}}) {
        CAPTURE(switches.dump());
        primary.set_switches(switches);
        sync->poll_now();
        ++failures;
        wait_for([&] { return site.recorder.count("failed main") >= failures; });
        CHECK(reason(*sync, "alice", "example.com") == Reason::user);
        CHECK(reason(*sync, "alice", "elsewhere.example") == Reason::no_such_domain);
    }
}

TEST_CASE("a wrong password stops the attempts until the file changes", "[sync]") {
    Site site;
    site.folder.write("password", "wrong");
    PrimaryDouble primary(example_world());
    PrimarySettings settings = site.settings(primary.url());
    settings.poll_every = 0s;
    Sync sync({settings}, site.folder.path(), site.recorder, machine, system_disk, {});
    sync.start();
    wait_for([&] { return site.recorder.count("refused main") == 1; });
    wait_for([&] { return sync.report().primaries[0].refused_since != Time{}; });
    CHECK(primary.requests()["sign_ins"] == 1);
    CHECK(reason(sync, "alice", "example.com") == Reason::never_synced);

    site.folder.write("password", "secret");
    std::filesystem::last_write_time(settings.password_file,
                                     std::filesystem::file_time_type::clock::now() + 1h);
    wait_for([&] { return reason(sync, "alice", "example.com") == Reason::user; });
    CHECK(primary.requests()["sign_ins"] == 2);
    wait_for([&] { return sync.report().primaries[0].refused_since == Time{}; });
}

TEST_CASE("stopping interrupts a request", "[sync]") {
    Site site;
    PrimaryDouble primary(example_world());
    primary.set_switches({{"delay_ms", 3'600'000}});
    const auto sync = site.open(primary.url());
    sync->start();
    wait_for([&] { return primary.requests()["count"] == 1; });
    sync->stop();
    CHECK(site.recorder.events().empty());
}

TEST_CASE("a primary that never comes to an end keeps no other waiting", "[sync]") {
    Site site;
    std::atomic<bool> over = false;
    const RawServer endless([&](const RawServer::Send& send) {
        send("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 1000000\r\n\r\n{");
        while (!over && send(" ")) std::this_thread::sleep_for(20ms);
    });
    PrimaryDouble honest(example_world());
    PrimarySettings first = site.settings("http://" + endless.where()), second = site.settings(honest.url());
    first.name = "endless";
    first.patience = second.patience = 1h;  // nobody waits for the end of it
    first.poll_every = second.poll_every = 1s;
    Sync sync({first, second}, site.folder.path(), site.recorder, machine, system_disk, {});
    sync.start();
    wait_for([&] { return site.recorder.count("synced main") >= 2; });
    CHECK(endless.connections() == 1);
    CHECK(reason(sync, "alice", "example.com") == Reason::user);
    second.poll_every = 2s;
    sync.reload({second});  // interrupts the other
    wait_for([&] { return sync.report().primaries.size() == 1; });
    sync.reload({first, second});
    wait_for([&] { return endless.connections() == 2; });
    sync.stop();
    over = true;
}

TEST_CASE("a damaged cache is reported and starts from nothing", "[sync]") {
    Site site;
    site.folder.write("directory.cache", "rubbish");
    PrimaryDouble primary(example_world());
    const auto sync = site.open(primary.url());
    CHECK(site.recorder.count("damaged " + (site.folder.path() / "directory.cache.damaged").string()) == 1);
    CHECK(reason(*sync, "alice", "example.com") == Reason::never_synced);
    sync->start();
    wait_for([&] { return reason(*sync, "alice", "example.com") == Reason::user; });
}

TEST_CASE("a reload brings another primary", "[sync]") {
    Site site;
    PrimaryDouble first(example_world());
    PrimaryDouble second(Json{{"domains", {{{"name", "second.example"}, {"users", {"sam"}}}}}});
    const auto sync = site.open(first.url());
    sync->start();
    wait_for([&] { return reason(*sync, "alice", "example.com") == Reason::user; });
    PrimarySettings other = site.settings(second.url());
    other.name = "second";
    CHECK_THROWS_AS(sync->reload({site.settings("nonsense")}), std::invalid_argument);
    sync->reload({site.settings(first.url()), other});
    wait_for([&] { return reason(*sync, "sam", "second.example") == Reason::user; });
    CHECK(sync->snapshot()->address("sam", "second.example", now()).primary == "second");
    CHECK(reason(*sync, "alice", "example.com") == Reason::user);
    sync->reload({other});
    CHECK(reason(*sync, "alice", "example.com") == Reason::no_such_domain);
    sync->stop();
    sync->reload({site.settings(first.url())});  // nobody is there to do it, and nobody waits
}

TEST_CASE("readers on other threads while the directory changes", "[sync]") {
    Site site;
    PrimaryDouble primary(example_world());
    const auto sync = site.open(primary.url());
    std::vector<std::jthread> readers;
    for (int i = 0; i < 3; ++i)
        readers.emplace_back([&](const std::stop_token& end) {
            while (!end.stop_requested()) {
                const Reason seen = reason(*sync, "alice", "example.com");
                if (seen != Reason::user && seen != Reason::never_synced && seen != Reason::domain_not_read)
                    std::abort();
                if (sync->report().primaries.size() != 1) std::abort();
            }
        });
    sync->start();
    for (std::size_t round = 1; round <= 5; ++round) {
        wait_for([&] { return site.recorder.count("synced main") >= round; });
        sync->poll_now();
    }
}

TEST_CASE("a probe says whether a primary can be used", "[sync]") {
    Site site;
    PrimaryDouble primary(example_world());
    CHECK(probe(site.settings(primary.url()), machine)->domains == 3);
    site.folder.write("password", "wrong");
    const auto refused = probe(site.settings(primary.url()), machine);
    REQUIRE_FALSE(refused);
    CHECK(refused.error().words == "signing in was refused: \"USERNAME_OR_PASSWORD_INCORRECT\"");
    CHECK_THROWS_AS(probe(site.settings("nonsense"), machine), std::invalid_argument);
}
