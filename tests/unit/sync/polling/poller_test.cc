#include "sync/polling/poller.h"

#include <catch2/catch.hpp>

#include "tests/unit/sync/polling/poller_stage.h"

using namespace postern::sync;
using namespace postern::tests;
using namespace std::chrono_literals;

TEST_CASE("a round lists the domains and reads each", "[poller]") {
    Stage stage;
    stage.scripts["main"].domains = std::vector<ListedDomain>{{"a.example", "a.example", true},
                                                              {"b.example", "b.example", std::nullopt},
                                                              {"off.example", "off.example", false}};
    stage.run();
    CHECK(stage.scripts["main"].calls == std::vector<std::string>{"domains", "a.example", "b.example"});
    CHECK(stage.recorder.events() == std::vector<std::string>{"synced main"});
    CHECK(stage.domain("a.example").complete() != Time{});
    const PrimaryReport report = stage.poller->report()[0];
    CHECK(report.reachable);
    CHECK_FALSE(report.polling);
    CHECK(report.error.empty());
    CHECK(report.last_success != Time{});
    CHECK(report.next_round > report.last_round + 4min);
    CHECK(report.requests == 3);

    stage.scripts["main"].calls.clear();
    stage.poller->poll_now();
    stage.run();
    CHECK(stage.scripts["main"].calls.size() == 3);
}

TEST_CASE("an unreadable part keeps what is known", "[poller]") {
    Stage stage;
    Script& script = stage.scripts["main"];
    script.readings["Example.com"] = full_reading({"alice", "bob"});
    stage.run();
    const Time first = stage.domain("example.com").users.read;

    DomainReading broken = full_reading({});
    broken.users = tl::make_unexpected(Failure{Fault::unreadable, "a reply without userData", {}});
    script.readings["Example.com"] = broken;
    for (int round = 0; round < 2; ++round) {
        stage.clock.step(1min);
        stage.poller->poll_now();
        stage.run();
    }
    CHECK(names(stage.domain("example.com").users.content, Kind::user) ==
          std::vector<std::string>{"alice", "bob"});
    CHECK(stage.domain("example.com").users.read == first);
    CHECK(stage.domain("example.com").aliases.read == first + 2min);
    CHECK(stage.domain("example.com").error == "users: a reply without userData");
    CHECK(stage.recorder.count("failed main example.com users: a reply without userData") == 1);  // told once
    CHECK(stage.poller->report()[0].error == "1 domains could not be read completely");

    script.readings.clear();
    stage.poller->poll_now();
    stage.run();
    CHECK(stage.domain("example.com").error.empty());
    CHECK(names(stage.domain("example.com").users.content, Kind::user) == std::vector<std::string>{"alice"});
}

TEST_CASE("a failed list of domains keeps them all", "[poller]") {
    Stage stage;
    Script& script = stage.scripts["main"];
    stage.run();
    for (const Fault fault :
         {Fault::unreachable, Fault::busy, Fault::unreadable, Fault::refused, Fault::unauthorised}) {
        script.domains = tl::make_unexpected(Failure{fault, "words", {}});
        stage.poller->poll_now();
        stage.run();
        CHECK(stage.poller->directory()[0].domains.size() == 1);
        CHECK(stage.poller->report()[0].error == "words");
        CHECK(stage.poller->report()[0].reachable == (fault != Fault::unreachable));
    }
    CHECK(stage.recorder.count("failed main  words") == 5);
    script.domains = std::vector<ListedDomain>{{"new.example", "new.example", true}};
    stage.poller->poll_now();
    stage.run();
    CHECK(stage.poller->directory()[0].domains.contains("new.example"));
    CHECK(stage.poller->directory()[0].suspicion);  // all that were there are gone
}

TEST_CASE("Retry-After is obeyed, on request too", "[poller]") {
    Stage stage;
    stage.scripts["main"].domains = tl::make_unexpected(Failure{Fault::busy, "later", 600s});
    stage.run();
    CHECK(stage.poller->next_due() - stage.clock.now() >= 600s);
    stage.poller->poll_now();
    stage.clock.step(600s - 1ns);
    stage.run();
    CHECK(stage.scripts["main"].calls.size() == 1);
    stage.clock.step(1ns);
    stage.run();
    CHECK(stage.scripts["main"].calls.size() == 2);
}

TEST_CASE("failures are retried soon, then less often", "[poller]") {
    Stage stage;
    stage.scripts["main"].domains = tl::make_unexpected(Failure{Fault::unreachable, "down", {}});
    stage.run();
    CHECK(stage.poller->next_due() - stage.clock.now() < 20s);
    for (int i = 0; i < 8; ++i) {
        stage.poller->poll_now();
        stage.run();
    }
    CHECK(stage.poller->next_due() - stage.clock.now() > 200s);
}

TEST_CASE("rejected credentials are not repeated", "[poller]") {
    Stage stage;
    stage.folder.write("password", "wrong");
    PrimarySettings eager = stage.settings_for("main");
    eager.poll_every = 0s;  // due again at once
    Script& script = stage.scripts["main"];
    script.domains = tl::make_unexpected(Failure{Fault::credentials, "signing in was refused", {}});
    stage.poller->reload({eager});
    for (int i = 0; i < 10; ++i) stage.poller->step();
    CHECK(script.calls.size() == 1);
    CHECK(stage.recorder.count("refused main signing in was refused") == 1);
    CHECK(stage.poller->report()[0].refused_since != Time{});

    SECTION("but on request") {
        stage.poller->poll_now();
        for (int i = 0; i < 10; ++i) stage.poller->step();
        CHECK(script.calls.size() == 2);
    }
    SECTION("but when the password file changed during the attempt") {
        script.meanwhile = [&] {
            stage.folder.write("password", "the right one");
            script.meanwhile = nullptr;
        };
        stage.poller->poll_now();
        for (int i = 0; i < 10; ++i) stage.poller->step();
        CHECK(script.calls.size() == 3);
    }
    SECTION("but when the password file changes") {
        std::filesystem::last_write_time(eager.password_file,
                                         std::filesystem::file_time_type::clock::now() + 1h);
        script.domains = std::vector<ListedDomain>{};
        for (int i = 0; i < 10; ++i) stage.poller->step();
        CHECK(script.calls.size() >= 2);
        CHECK(stage.poller->report()[0].refused_since == Time{});
    }
}

TEST_CASE("a primary that fails in mid-round is left alone", "[poller]") {
    Stage stage;
    Script& script = stage.scripts["main"];
    script.domains =
        std::vector<ListedDomain>{{"a.example", "a.example", true}, {"b.example", "b.example", true}};
    SECTION("no connection") {
        script.readings.emplace("a.example", tl::make_unexpected(Failure{Fault::unreachable, "gone", {}}));
        stage.run();
        CHECK(script.calls == std::vector<std::string>{"domains", "a.example"});
        CHECK(stage.recorder.count("failed main a.example gone") == 1);
    }
    SECTION("nothing can be read of three domains") {
        script.domains->push_back({"c.example", "c.example", true});
        script.domains->push_back({"d.example", "d.example", true});
        for (const char* name : {"a.example", "b.example", "c.example", "d.example"})
            script.readings.emplace(name, DomainReading{});
        stage.run();
        CHECK(script.calls.size() == 4);
        CHECK(stage.recorder.count("failed main  nothing can be read any more") == 1);
    }
}

TEST_CASE("an exception is a failure of that primary", "[poller]") {
    Stage stage({"one", "two"});
    stage.scripts["one"].broken = true;
    stage.run();
    CHECK(stage.recorder.count("failed one  a library's fault") == 1);
    CHECK(stage.recorder.count("synced two") == 1);
}

TEST_CASE("domains that are not known are read first", "[poller]") {
    PrimaryRecord known{"main", 1h, at(100), {}};
    known.domains["a.example"] = read_domain("a.example", at(200));
    known.domains["b.example"] = read_domain("b.example", at(100));
    Stage stage({"main"}, {known});
    stage.scripts["main"].domains = std::vector<ListedDomain>{
        {"a.example", "a.example", true}, {"b.example", "b.example", true}, {"c.example", "c.example", true}};
    stage.run();
    CHECK(stage.scripts["main"].calls ==
          std::vector<std::string>{"domains", "c.example", "b.example", "a.example"});
}

TEST_CASE("domains with mail are read before the others", "[poller]") {
    Stage stage;
    stage.scripts["main"].domains = std::vector<ListedDomain>{
        {"a.example", "a.example", true}, {"b.example", "b.example", true}, {"c.example", "c.example", true}};
    stage.poller->prefer({"c.example", "elsewhere.example"});
    stage.run();
    CHECK(stage.scripts["main"].calls ==
          std::vector<std::string>{"domains", "c.example", "a.example", "b.example"});
}

TEST_CASE("a domain that breaks the round does not keep the others waiting", "[poller]") {
    Stage stage;
    Script& script = stage.scripts["main"];
    script.domains =
        std::vector<ListedDomain>{{"a.example", "a.example", true}, {"b.example", "b.example", true}};
    script.readings.emplace(
        "a.example", tl::make_unexpected(Failure{Fault::unreachable, "no complete reply in time", {}}));
    stage.run();
    CHECK(stage.domain("b.example").complete() == Time{});
    CHECK(view(stage.poller->directory())[0].error == "no complete reply in time");
    stage.poller->poll_now();
    stage.run();
    CHECK(script.calls ==
          std::vector<std::string>{"domains", "a.example", "domains", "b.example", "a.example"});
    CHECK(stage.domain("b.example").complete() != Time{});
}

TEST_CASE("several primaries take turns", "[poller]") {
    Stage stage({"one", "two"});
    for (const char* name : {"one", "two"})
        stage.scripts[name].domains =
            std::vector<ListedDomain>{{"a.example", "a.example", true}, {"b.example", "b.example", true}};
    for (int i = 0; i < 4; ++i) {
        stage.clock.step(1ms);
        stage.poller->step();
    }
    CHECK(stage.scripts["one"].calls.size() == 2);
    CHECK(stage.scripts["two"].calls.size() == 2);
    stage.run();
    CHECK(stage.recorder.count("synced") == 2);
}

TEST_CASE("a reload keeps what has not changed", "[poller]") {
    Stage stage({"one", "two"});
    stage.run();
    CHECK(stage.connections == 2);
    PrimarySettings changed = stage.settings_for("two");
    changed.trust_for = 1h;
    stage.poller->reload({stage.settings_for("one"), changed, stage.settings_for("three")});
    CHECK(stage.connections == 4);
    CHECK(stage.poller->directory()[1].domains.size() == 1);
    CHECK(stage.poller->directory()[1].trust_for == 1h);
    CHECK(stage.poller->directory()[2].listed == Time{});
    stage.poller->reload({stage.settings_for("three")});
    CHECK(stage.poller->directory().size() == 1);
    CHECK(stage.connections == 4);
}

TEST_CASE("a domain found to be disabled keeps its addresses for later", "[poller]") {
    Stage stage;
    stage.scripts["main"].domains = std::vector<ListedDomain>{{"example.com", "Example.com", std::nullopt},
                                                              {"example.net", "example.net", std::nullopt}};
    stage.run();
    DomainReading disabled;
    disabled.options = DomainOptions{false, {}, {}};
    stage.scripts["main"].readings["Example.com"] = disabled;
    stage.poller->poll_now();
    stage.run();
    CHECK_FALSE(stage.domain("example.com").enabled);
    CHECK(stage.domain("example.com").error.empty());
    CHECK(stage.domain("example.com").users.content.size() == 1);

    stage.scripts["main"].readings.clear();  // enabled again, which only its settings tell
    stage.scripts["main"].readings.emplace("Example.com", full_reading({"alice"}));
    stage.scripts["main"].readings.at("Example.com")->options = DomainOptions{true, {}, {}};
    stage.poller->poll_now();
    stage.run();
    CHECK(stage.domain("example.com").enabled);
}

TEST_CASE("that all domains are disabled is doubted though each says so for itself", "[poller]") {
    Stage stage;
    stage.scripts["main"].domains = std::vector<ListedDomain>{{"a.example", "a.example", std::nullopt},
                                                              {"b.example", "b.example", std::nullopt}};
    stage.run();
    DomainReading disabled;
    disabled.options = DomainOptions{false, {}, {}};
    stage.scripts["main"].readings["a.example"] = stage.scripts["main"].readings["b.example"] = disabled;
    const auto round = [&] {
        stage.poller->poll_now();
        stage.run();
    };
    for (int times = 0; times < 4; ++times) {  // for its time, however often it comes
        round();
        CHECK(stage.domain("a.example").enabled);
        CHECK(stage.domain("b.example").enabled);
    }
    CHECK(stage.recorder.count("lost main domains 2 0") == 1);
    REQUIRE(stage.poller->report()[0].suspicion);
    CHECK(stage.poller->report()[0].suspicion->now == 0);

    SECTION("until an administrator says that it is right") {
        stage.poller->accept_suspicions();
        stage.run();
        CHECK_FALSE(stage.domain("a.example").enabled);
        CHECK_FALSE(stage.domain("b.example").enabled);
        CHECK(stage.recorder.count("taken main domains 2 0") == 1);
        CHECK_FALSE(stage.poller->report()[0].suspicion);
    }
    SECTION("and forgotten once one says otherwise") {
        stage.scripts["main"].readings.erase("b.example");
        stage.scripts["main"].readings.emplace("b.example", full_reading({"alice"}));
        stage.scripts["main"].readings.at("b.example")->options = DomainOptions{true, {}, {}};
        round();
        CHECK_FALSE(stage.domain("a.example").enabled);
        CHECK(stage.domain("b.example").enabled);
        CHECK_FALSE(stage.poller->report()[0].suspicion);
    }
}

TEST_CASE("a domain that is disabled when it is first read is so at once", "[poller]") {
    Stage stage;
    DomainReading disabled;
    disabled.options = DomainOptions{false, {}, {}};
    stage.scripts["main"].domains = std::vector<ListedDomain>{{"a.example", "a.example", std::nullopt}};
    stage.scripts["main"].readings["a.example"] = disabled;
    stage.run();
    CHECK_FALSE(stage.domain("a.example").enabled);
    CHECK(stage.recorder.count("lost") == 0);
}

TEST_CASE("what was never read is read as fast as the primary answers", "[poller]") {
    Stage stage;
    Script& script = stage.scripts["main"];
    std::vector<ListedDomain> listed;
    for (int i = 0; i < 300; ++i) listed.push_back(listed_domain("d" + std::to_string(i) + ".example"));
    script.domains = listed;
    script.requests_a_domain = 8;
    stage.run();  // up to the end of the round: no pause in between
    CHECK(script.calls.size() == 301);
    CHECK(script.first_readings.size() == 300);
    CHECK_FALSE(script.hurried);

    script.first_readings.clear();
    script.calls.clear();
    stage.poller->poll_now();
    stage.run();  // up to the first pause
    CHECK(script.first_readings.empty());
    CHECK(script.calls.size() < 300);
}

TEST_CASE("a domain that was tried in vain is not hurried again", "[poller]") {
    Stage stage;
    Script& script = stage.scripts["main"];
    DomainReading partly = full_reading({"alice"});
    partly.aliases = tl::make_unexpected(Failure{Fault::refused, "no", {}});
    script.readings.emplace("Example.com", partly);
    stage.run();
    CHECK(script.first_readings.size() == 1);
    stage.poller->poll_now();
    stage.run();
    CHECK(script.first_readings.size() == 1);
}
