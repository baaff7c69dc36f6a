// Names that no mail can have, and more of them than are kept.
#include <catch2/catch.hpp>

#include "sync/limits.h"
#include "tests/unit/sync/polling/poller_stage.h"

using namespace postern::sync;
using namespace postern::tests;
using namespace std::chrono_literals;

TEST_CASE("listed names that are no domain names are told, once", "[poller]") {
    Stage stage;
    Script& script = stage.scripts["main"];
    script.domains = std::vector<ListedDomain>{listed_domain("Example.com"), listed_domain("not a domain"),
                                               listed_domain("\xe2\x98\x95.example")};
    stage.run();
    CHECK(stage.recorder.count("unusable main  1 domains (\"not a domain\")") == 1);
    CHECK(stage.poller->report()[0].unusable == "1 domains (\"not a domain\")");
    CHECK(stage.poller->directory()[0].domains.contains("xn--53h.example"));
    stage.poller->poll_now();
    stage.run();
    CHECK(stage.recorder.count("unusable") == 1);
}

TEST_CASE("names in a domain that no mail can have are told, once, and seen", "[poller]") {
    Stage stage;
    Script& script = stage.scripts["main"];
    DomainReading reading = full_reading({"alice", "tab\there", std::string(300, 'x')});
    DomainNames aliases{"example.org"};
    for (const char* name : {"_", "two words", "a..b", "-.", ""}) aliases.add(name);
    reading.domain_aliases = aliases;
    script.readings.emplace("Example.com", reading);
    const std::string words = "2 users (\"tab?here\", \"" + std::string(80, 'x') +
                              "...\"), 3 domain aliases (\"two words\", \"a..b\", \"\")";
    for (int round = 0; round < 2; ++round) {
        stage.poller->poll_now();
        stage.run();
        CHECK(stage.recorder.count("unusable main example.com " + words) == 1);
        CHECK(view(stage.poller->directory())[0].unusable == words);
    }
    CHECK(view(stage.poller->directory())[0].users == 1);
    reading = full_reading({"alice"});
    reading.domain_aliases = DomainNames{"example.org"};
    script.readings.insert_or_assign("Example.com", reading);
    stage.poller->poll_now();
    stage.run();
    CHECK(view(stage.poller->directory())[0].unusable.empty());
}

TEST_CASE("of very many domains with such names a few are told, and how many more there are", "[poller]") {
    Stage stage;
    Script& script = stage.scripts["main"];
    script.domains = std::vector<ListedDomain>{};
    for (int i = 0; i < 100; ++i) {
        const std::string name = "d" + std::to_string(i) + ".example";
        script.domains->push_back(listed_domain(name));
        script.readings.emplace(name, full_reading({"tab\there"}));
    }
    stage.run();
    CHECK(stage.recorder.count("unusable main d") == 20);
    CHECK(stage.recorder.count("unusable main  names in 80 more domains") == 1);
}

TEST_CASE("what a primary may fill memory with is bounded, and what was known stays", "[poller]") {
    Stage stage;
    Script& script = stage.scripts["main"];
    script.domains = std::vector<ListedDomain>{listed_domain("a.example"), listed_domain("b.example")};
    stage.run();
    AddressList large;
    large.add(Kind::user, "alice");
    const std::string name(255, 'x');
    while (octets(large) < limits::octets * 2 / 3) large.add(Kind::user, name);
    DomainReading reading = full_reading({});
    reading.users = large;
    script.readings.emplace("a.example", reading);
    script.readings.emplace("b.example", reading);
    stage.poller->poll_now();
    stage.run();
    CHECK(stage.domain("a.example").users.content == large);
    CHECK(names(stage.domain("b.example").users.content, Kind::user) == std::vector<std::string>{"alice"});
    CHECK_THAT(stage.domain("b.example").error, Catch::Contains("more names than are kept of one"));
    script.readings.erase("a.example");
    for (int round = 0; round < 3; ++round) {  // that a.example shrinks is believed at the third
        stage.poller->accept_suspicions();
        stage.run();
    }
    stage.poller->poll_now();
    stage.run();
    CHECK(stage.domain("b.example").error.empty());
    CHECK(stage.domain("b.example").users.content == large);
}
