#include <catch2/catch.hpp>

#include "tests/unit/sync/polling/handed.h"

using namespace postern::sync;
using namespace postern::tests;
using namespace std::chrono_literals;

TEST_CASE("what is taken over stands in the place of what was known", "[turn]") {
    Stage stage;
    stage.run();
    const Time first = stage.poller->directory()[0].listed;
    stage.poller->take_turn(anothers);
    stage.clock.step(10min);
    const Time read = first + 5min;
    CHECK(stage.poller->adopt(handed("zoe", read)));
    CHECK(users(stage) == Names{"zoe"});
    CHECK(stage.poller->directory()[0].listed == read);
    CHECK(stage.poller->directory()[0].trust_for == stage.settings_for("main").trust_for);
    const PrimaryReport report = stage.poller->report()[0];
    CHECK(report.last_success == read);
    CHECK(report.trusted_until == read + stage.settings_for("main").trust_for);
    CHECK(report.polled_by == "gw2");

    for (const Time other : {read, read - 1s, first, at(1)}) {
        CHECK_FALSE(stage.poller->adopt(handed("old", other)));
        CHECK(users(stage) == Names{"zoe"});
    }
    CHECK(stage.poller->adopt(handed("new", read + 1s)));
    CHECK(users(stage) == Names{"new"});
    CHECK(stage.recorder.events() == Names{"synced main"});
}

TEST_CASE("words that are taken over fit a line", "[turn]") {
    Stage stage;
    stage.poller->take_turn(anothers);
    PrimaryRecord record = record_of("zoe", stage.clock.wall());
    record.domains["example.com"].error = "two\nlines " + std::string(1000, 'x');
    CHECK(stage.poller->adopt(encode(Directory{record})));
    CHECK(stage.domain("example.com").error.starts_with("two lines xxx"));
    CHECK(stage.domain("example.com").error.size() == 200);
}

TEST_CASE("domains that can be none are told of what was read here alone", "[turn]") {
    Stage stage;
    stage.scripts["main"].domains = std::vector<ListedDomain>{listed_domain("no domain")};
    stage.run();
    REQUIRE_FALSE(stage.poller->report()[0].unusable.empty());
    stage.clock.step(1min);
    CHECK(stage.poller->adopt(handed("zoe", stage.clock.wall())));
    CHECK(stage.poller->report()[0].unusable.empty());
}

TEST_CASE("what is taken over is not doubted, and ends what was doubted", "[turn]") {
    Stage stage;
    stage.scripts["main"].domains = std::vector<ListedDomain>{{"a.example", "a.example", true}};
    stage.run();
    stage.scripts["main"].domains = std::vector<ListedDomain>{{"b.example", "b.example", true}};
    stage.poller->poll_now();
    stage.run();
    REQUIRE(stage.poller->report()[0].suspicion);
    stage.poller->take_turn(anothers);
    stage.clock.step(1min);
    CHECK(stage.poller->adopt(handed("zoe", stage.clock.wall())));
    CHECK(stage.poller->directory()[0].domains.size() == 1);  // both of those in force are gone
    CHECK_FALSE(stage.poller->report()[0].suspicion);

    stage.poller->take_turn(ours);  // a loss that comes now is doubted from the beginning
    stage.clock.step(10min);
    stage.run();
    CHECK(stage.poller->directory()[0].domains.contains("example.com"));
    CHECK(stage.poller->report()[0].suspicion->seen == 1);
}

TEST_CASE("an error, and a refusal that is long ago, end with what is taken over", "[turn]") {
    Stage stage;
    stage.scripts["main"].domains =
        tl::make_unexpected(Failure{Fault::credentials, "signing in was refused", {}});
    stage.run();
    stage.poller->take_turn(anothers);
    CHECK(stage.poller->report()[0].error == "signing in was refused");
    CHECK(stage.poller->adopt(handed("zoe", stage.clock.wall())));
    CHECK(stage.poller->report()[0].error.empty());
    CHECK(stage.poller->report()[0].refused_since != Time{});  // single questions are not to try it
    stage.clock.step(30min);
    stage.poller->take_turn(ours);
    stage.run();
    CHECK(stage.scripts["main"].calls.size() == 1);  // nor is taking over
    stage.poller->take_turn(anothers);
    stage.clock.step(31min);
    CHECK(stage.poller->adopt(handed("zoe", stage.clock.wall())));
    CHECK(stage.poller->report()[0].refused_since == Time{});
}

TEST_CASE("what another has read of several primaries, and of one that is not here", "[turn]") {
    Stage stage({"one", "two"});
    stage.poller->take_turn(anothers);
    const Time now = stage.clock.wall();
    CHECK(stage.poller->adopt(handed("tom", now, "two")));
    CHECK(users(stage, 1) == Names{"tom"});
    CHECK(stage.poller->directory()[0].domains.empty());
    CHECK(stage.poller->report()[0].last_success == Time{});
    CHECK(stage.poller->report()[1].last_success == now);
    CHECK_FALSE(stage.poller->adopt(handed("eve", now, "th\nree")));
    CHECK(stage.poller->directory().size() == 2);
    CHECK(stage.recorder.events() == Names{"not adopted  no primary has the name \"th ree\" here"});
    CHECK(
        stage.poller->adopt(encode(Directory{record_of("ann", now, "one"), record_of("joe", now, "three")})));
    CHECK(users(stage, 0) == Names{"ann"});
}

TEST_CASE("what is damaged anywhere changes nothing, and is told", "[turn]") {
    Stage stage;
    stage.run();
    stage.poller->take_turn(anothers);
    stage.clock.step(10min);
    std::string octets = handed("zoe", stage.clock.wall());
    const std::string before = encode(stage.poller->directory());
    for (std::size_t i = 0; i < octets.size(); ++i) {
        CAPTURE(i);
        octets[i] = static_cast<char>(octets[i] ^ 1);
        REQUIRE_FALSE(stage.poller->adopt(octets));
        REQUIRE(stage.recorder.count("not adopted  it") == i + 1);
        REQUIRE(encode(stage.poller->directory()) == before);
        octets[i] = static_cast<char>(octets[i] ^ 1);
    }
    CHECK_FALSE(stage.poller->adopt({}));
    CHECK_FALSE(stage.poller->adopt(octets + "x"));
    CHECK(stage.poller->adopt(octets));
}

TEST_CASE("what was read in the future, or of another kind of primary, is refused in words", "[turn]") {
    Stage stage;
    stage.poller->take_turn(anothers);
    const Time now = stage.clock.wall();
    CHECK_FALSE(stage.poller->adopt(handed("zoe", now + 6min)));
    CHECK(stage.recorder.count("not adopted main it was read in the future, at 2026-01-01T00:06:00.000Z") ==
          1);
    PrimaryRecord asked = record_of("zoe", now);
    asked.lists = false;
    CHECK_FALSE(stage.poller->adopt(encode(Directory{asked})));
    CHECK(stage.recorder.count("not adopted main the primary is of another kind there") == 1);
    CHECK(stage.poller->directory()[0].listed == Time{});
    CHECK(stage.poller->adopt(handed("zoe", now + 4min)));
}

TEST_CASE("a clock that was wrong once keeps out nothing that comes later", "[turn]") {
    Stage stage;
    const Time right = stage.clock.wall();
    stage.clock.set_wall(right + 1000h);
    stage.run();
    stage.clock.set_wall(right);
    stage.poller->take_turn(anothers);
    CHECK(stage.poller->adopt(handed("zoe", right)));
    CHECK(users(stage) == Names{"zoe"});
}

TEST_CASE("what a round that was given up has begun is no reason against what was read whole", "[turn]") {
    Stage stage;
    stage.scripts["main"].while_reading = [&] { stage.poller->take_turn(anothers); };
    stage.run();
    REQUIRE(stage.poller->directory()[0].listed != Time{});
    CHECK(stage.poller->adopt(handed("zoe", stage.clock.wall() - 1min)));
    CHECK(users(stage) == Names{"zoe"});
}

TEST_CASE("what the cache gave is known as the other has it, when that is handed on", "[turn]") {
    SteppedClock clock;
    const Time read = clock.wall() - 1min;
    Stage stage({"main"}, {record_of("zoe", read)});
    stage.poller->take_turn(anothers);
    CHECK(stage.poller->report()[0].last_success == Time{});
    CHECK_FALSE(stage.poller->adopt(handed("zoe", read - 1s)));
    CHECK(stage.poller->adopt(handed("zoe", read)));
    CHECK(stage.poller->report()[0].last_success == read);
    CHECK_FALSE(stage.poller->adopt(handed("zoe", read)));
}

TEST_CASE("what is newer ends a round of ours that is not as far; what is older does not", "[turn]") {
    Stage stage;
    stage.scripts["main"].domains =
        std::vector<ListedDomain>{{"a.example", "a.example", true}, {"b.example", "b.example", true}};
    stage.clock.step(10s);
    stage.poller->step();
    REQUIRE(stage.poller->report()[0].polling);
    CHECK_FALSE(stage.poller->adopt(handed("old", stage.clock.wall() - 5s)));
    CHECK(stage.poller->report()[0].polling);
    CHECK(stage.poller->adopt(handed("zoe", stage.clock.wall() + 5s)));
    CHECK_FALSE(stage.poller->report()[0].polling);
    stage.run();
    CHECK(stage.recorder.count("synced") == 0);  // it is not due
    CHECK(users(stage) == Names{"zoe"});
}

TEST_CASE("settings change while another polls", "[turn]") {
    Stage stage;
    stage.poller->take_turn(anothers);
    const Time now = stage.clock.wall();
    CHECK(stage.poller->adopt(handed("zoe", now)));
    PrimarySettings changed = stage.settings_for("main");
    changed.trust_for = 1h;
    changed.own = {"b.example", "a.example"};
    stage.poller->reload({changed, stage.settings_for("new")});
    stage.clock.step(10min);
    stage.run();
    CHECK(stage.scripts["main"].calls.empty());
    CHECK(stage.scripts["new"].calls.empty());
    CHECK(users(stage) == Names{"zoe"});
    CHECK(stage.poller->report()[1].polled_by == "gw2");
    CHECK(stage.poller->adopt(handed("eve", now + 1min)));
    CHECK(stage.poller->directory()[0].trust_for == 1h);
    CHECK(stage.poller->directory()[0].own == Names{"a.example", "b.example"});
    CHECK_FALSE(stage.poller->adopt(handed("old", now)));
    CHECK(stage.poller->adopt(handed("ann", now + 1min, "new")));

    PrimarySettings asked = stage.settings_for("main");  // of another kind from now on
    asked.api = "smtp";
    asked.url = "smtp://127.0.0.1";
    asked.own = {"a.example", "b.example"};
    stage.poller->reload({asked});
    CHECK_FALSE(stage.poller->adopt(handed("eve", now + 2min)));
    CHECK(stage.recorder.count("not adopted main the primary is of another kind there") == 1);
}

TEST_CASE("of a primary that lists nothing its own domains are taken over", "[turn]") {
    // Earlier it was another kind of primary: what was read then is no reason against it.
    Stage stage({"main"}, {record_of("zoe", SteppedClock().wall())});
    PrimarySettings settings = stage.settings_for("main");
    settings.api = "smtp";
    settings.url = "smtp://127.0.0.1";
    settings.own = {"a.example", "b.example"};
    stage.poller->take_turn(anothers);
    stage.poller->reload({settings});
    const Time now = stage.clock.wall();
    PrimaryRecord record{"main", {}, now - 1min, {}};
    record.lists = false;
    for (const char* name : {"a.example", "c.example"}) {
        DomainRecord& domain = record.domains[name];
        domain.spelling = name;
        domain.options = {DomainOptions{{}, "everyone", {}}, now - 1min, {}};
    }
    CHECK(stage.poller->adopt(encode(Directory{record})));
    const PrimaryRecord& known = stage.poller->directory()[0];
    CHECK(known.domains.size() == 2);
    CHECK(known.domains.at("a.example").options.content.catch_all == "everyone");
    CHECK_FALSE(known.domains.at("b.example").options.known());
    CHECK(known.listed == now);  // the settings name them
    CHECK_FALSE(stage.poller->adopt(encode(Directory{record})));
    CHECK(stage.poller->report()[0].last_success == now - 1min);
    stage.poller->take_turn(ours);
    stage.run();
    CHECK(stage.scripts["main"].calls.empty());
}
