#include <catch2/catch.hpp>

#include "sync/directory/cache.h"
#include "sync/polling/adoption.h"
#include "tests/unit/sync/polling/poller_stage.h"

using namespace postern::sync;
using namespace postern::tests;
using namespace std::chrono_literals;

namespace {

const Turn ours{}, anothers{Turn::Whose::anothers, 2, "gw2"}, unknown{Turn::Whose::unknown, 3, ""};

PrimaryRecord record_of(const std::string& user, Time read, const std::string& primary = "main") {
    PrimaryRecord record{primary, {}, read, {}};
    DomainRecord& domain = record.domains["example.com"] = read_domain("Example.com", read);
    domain.users.content = address_list(Kind::user, {user});
    return record;
}

std::string handed(const std::string& user, Time read, const std::string& primary = "main") {
    return encode(Directory{record_of(user, read, primary)});
}

std::vector<std::string> users(const Stage& stage, std::size_t primary = 0) {
    return names(stage.poller->directory()[primary].domains.at("example.com").users.content, Kind::user);
}

using Names = std::vector<std::string>;

}  // namespace

TEST_CASE("while it is another's turn nothing is asked, on request neither", "[turn]") {
    Stage stage({"one", "two"});
    stage.poller->take_turn(anothers);
    for (int hour = 0; hour < 10; ++hour) {
        stage.run();
        stage.poller->poll_now();
        stage.poller->accept_suspicions();
        stage.clock.step(1h);
        CHECK(stage.poller->next_due() > stage.clock.now());
    }
    CHECK(stage.scripts["one"].calls.empty());
    CHECK(stage.scripts["two"].calls.empty());
    CHECK(stage.recorder.events().empty());
    const PrimaryReport report = stage.poller->report()[0];
    CHECK(report.polled_by == "gw2");
    CHECK(report.reachable);
    CHECK(report.next_round == Time{});
    stage.poller->take_turn({Turn::Whose::anothers, 2, ""});
    CHECK_FALSE(stage.poller->report()[0].polled_by.empty());

    stage.poller->take_turn(ours);  // nothing is known
    CHECK(stage.poller->report()[0].polled_by.empty());
    CHECK_FALSE(stage.poller->report()[0].reachable);
    CHECK(stage.poller->report()[0].next_round != Time{});
    stage.run();
    CHECK(stage.recorder.count("synced") == 2);
}

TEST_CASE("what was wanted before the turn was another's is wanted of the other", "[turn]") {
    Stage stage;
    stage.run();
    stage.poller->poll_now();
    stage.poller->take_turn(anothers);
    stage.poller->take_turn(ours);
    stage.run();
    CHECK(stage.recorder.count("synced") == 1);
}

TEST_CASE("a suspicion is not accepted by who does not poll", "[turn]") {
    Stage stage;
    stage.run();
    stage.scripts["main"].domains = std::vector<ListedDomain>{};
    stage.poller->poll_now();
    stage.run();
    REQUIRE(stage.poller->report()[0].suspicion);
    stage.poller->take_turn(anothers);
    stage.poller->accept_suspicions();
    CHECK_FALSE(stage.poller->report()[0].suspicion->confirmed);
}

TEST_CASE("a round ends at once when the turn goes, and is no failure", "[turn]") {
    Stage stage({"main", "other"});
    Script& script = stage.scripts["main"];
    script.domains =
        std::vector<ListedDomain>{{"a.example", "a.example", true}, {"b.example", "b.example", true}};
    const auto leave = [&] { stage.poller->take_turn(anothers); };
    bool listed = true, first = true;
    SECTION("in the listing") {
        script.meanwhile = leave;
        listed = first = false;
    }
    SECTION("in the reading of a domain") {
        script.while_reading = leave;
        first = false;
    }
    SECTION("in the reading of the last domain") {
        script.while_reading = [&] {
            if (script.calls.back() == "b.example") leave();
        };
    }
    SECTION("by a listing that fails") {
        script.meanwhile = leave;
        script.domains = tl::make_unexpected(Failure{Fault::credentials, "no", {}});
        listed = first = false;
    }
    SECTION("by a listing that throws") {
        script.meanwhile = leave;
        script.broken = true;
        listed = first = false;
    }
    SECTION("between two requests") {
        stage.poller->step();
        leave();
        first = false;
    }
    stage.run();
    CHECK(stage.recorder.count("synced main") == 0);
    CHECK(stage.recorder.count("failed") == 0);
    CHECK(stage.recorder.count("refused") == 0);
    CHECK_FALSE(stage.poller->report()[0].polling);
    CHECK(stage.poller->report()[0].error.empty());
    CHECK(stage.poller->report()[0].last_round == Time{});
    CHECK(stage.poller->directory()[0].domains.contains("a.example") == listed);
    if (listed) CHECK((stage.domain("a.example").complete() != Time{}) == first);
    CHECK(stage.poller->just_read() == nullptr);
    const auto asked = script.calls.size();
    stage.clock.step(1h);
    stage.run();
    CHECK(script.calls.size() == asked);

    script.meanwhile = script.while_reading = nullptr;
    script.broken = false;
    script.domains =
        std::vector<ListedDomain>{{"a.example", "a.example", true}, {"b.example", "b.example", true}};
    stage.poller->take_turn(ours);
    stage.run();
    CHECK(stage.recorder.count("synced main") == 1);
    CHECK(stage.domain("b.example").complete() != Time{});
}

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

TEST_CASE("who takes the turn over polls when it is due", "[turn]") {
    Stage stage;
    stage.poller->take_turn(anothers);
    stage.clock.step(10h);
    CHECK(stage.poller->adopt(handed("zoe", stage.clock.wall() - 100s)));
    SECTION("which is later when all was read a moment ago") {
        stage.poller->take_turn(ours);
        stage.run();
        CHECK(stage.scripts["main"].calls.empty());
        CHECK(stage.poller->next_due() >= stage.clock.now() + 170s - 1s);
        CHECK(stage.poller->next_due() <= stage.clock.now() + 230s + 1s);
        stage.clock.step(235s);
        stage.run();
        CHECK(stage.recorder.count("synced main") == 1);
    }
    SECTION("which is at once when the other has been gone for long") {
        stage.clock.step(300s);
        stage.poller->take_turn(ours);
        stage.run();
        CHECK(stage.recorder.count("synced main") == 1);
    }
}

TEST_CASE("taking the turn that one has changes nothing", "[turn]") {
    Stage stage;
    stage.run();
    const auto due = stage.poller->next_due();
    stage.clock.step(1min);
    stage.poller->take_turn(ours);
    stage.poller->take_turn({Turn::Whose::ours, 5, "gw1"});
    CHECK(stage.poller->next_due() == due);
}

TEST_CASE("while nobody knows whose turn it is each polls more slowly", "[turn]") {
    Stage stage;
    stage.run();
    CHECK(stage.scripts["main"].gap == 250ms);
    stage.poller->take_turn(anothers);
    stage.clock.step(10min);
    const Time read = stage.clock.wall();
    CHECK(stage.poller->adopt(handed("zoe", read)));
    stage.poller->take_turn(unknown);
    CHECK(stage.poller->report()[0].polled_by.empty());
    CHECK(stage.poller->next_due() >= stage.clock.now() + 810s - 1s);
    CHECK(stage.poller->next_due() <= stage.clock.now() + 990s + 1s);
    stage.clock.step(991s);
    stage.run();
    CHECK(stage.recorder.count("synced main") == 2);
    CHECK(stage.scripts["main"].gap == 750ms);
    CHECK(stage.poller->next_due() >= stage.clock.now() + 810s);

    stage.poller->take_turn(ours);  // as before, from the round after the one that is due
    stage.poller->poll_now();
    stage.run();
    CHECK(stage.scripts["main"].gap == 250ms);
    CHECK(stage.poller->next_due() <= stage.clock.now() + 330s);
}

TEST_CASE("beyond the brisk beginning of a round the gap counts as many times as there are gateways",
          "[turn]") {
    Stage stage;
    std::vector<ListedDomain> listed;
    for (int i = 0; i < 300; ++i) listed.push_back(listed_domain("d" + std::to_string(i) + ".example"));
    stage.scripts["main"].domains = listed;
    stage.scripts["main"].requests_a_domain = 8;
    stage.run();
    const auto pause = [&](const Turn& turn) {
        stage.poller->take_turn(turn);
        stage.poller->poll_now();
        stage.run();  // up to the first pause
        const auto due = stage.poller->next_due() - stage.clock.now();
        stage.poller->take_turn(anothers);
        return due;
    };
    const auto alone = pause(ours);
    CHECK(alone > 0s);
    CHECK(pause(unknown) == 3 * alone);
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
    Stage stage;
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

TEST_CASE("what was read whole can be handed on, what was begun cannot", "[turn]") {
    Stage stage({"one", "two"}, {record_of("cached", at(1000), "two")});
    REQUIRE(stage.poller->read_whole().size() == 1);
    CHECK(stage.poller->read_whole()[0]->name == "two");
    stage.scripts["one"].while_reading = [&] { stage.poller->take_turn(anothers); };
    stage.run();
    CHECK(stage.poller->read_whole().size() == 1);
    stage.scripts["one"].while_reading = nullptr;
    stage.poller->take_turn(ours);
    std::vector<std::string> read;
    while (stage.poller->step() != Poller::Step::nothing) {
        if (const auto* record = stage.poller->just_read()) read.push_back(record->name);
        stage.poller->announce();
        CHECK(stage.poller->just_read() == nullptr);
    }
    CHECK(read.size() == 2);
    CHECK(stage.poller->read_whole().size() == 2);
    stage.scripts["one"].domains = tl::make_unexpected(Failure{Fault::unreachable, "gone", {}});
    stage.poller->reload({stage.settings_for("one")});
    stage.poller->poll_now();
    while (stage.poller->step() != Poller::Step::nothing) CHECK(stage.poller->just_read() == nullptr);
}

TEST_CASE("a turn that comes and goes a hundred times", "[turn]") {
    Stage stage;
    Script& script = stage.scripts["main"];
    script.domains =
        std::vector<ListedDomain>{{"a.example", "a.example", true}, {"b.example", "b.example", true}};
    SECTION("costs nothing once all was read") {
        stage.run();
        for (int i = 0; i < 100; ++i) {
            stage.poller->take_turn(anothers);
            stage.run();
            stage.poller->take_turn(ours);
            stage.run();
        }
        CHECK(script.calls.size() == 3);
    }
    SECTION("does not hasten what has failed") {
        script.domains = tl::make_unexpected(Failure{Fault::unreachable, "down", {}});
        stage.run();
        for (int i = 0; i < 100; ++i) {
            stage.poller->take_turn(anothers);
            stage.poller->take_turn(i % 2 ? ours : unknown);
            stage.run();
        }
        CHECK(script.calls.size() == 1);
    }
    SECTION("in the middle of each round, and the last is read to its end") {
        script.while_reading = [&] { stage.poller->take_turn(anothers); };
        for (int i = 0; i < 100; ++i) {
            stage.run();
            CHECK(stage.poller->directory()[0].domains.size() == 2);
            stage.poller->take_turn(ours);
        }
        CHECK(script.calls.size() == 200);
        CHECK(stage.recorder.events().empty());
        script.while_reading = nullptr;
        stage.run();
        CHECK(stage.recorder.events() == Names{"synced main"});
        CHECK(stage.domain("b.example").complete() != Time{});
    }
    SECTION("with something to take over each time") {
        for (int i = 1; i <= 100; ++i) {
            stage.poller->take_turn(anothers);
            stage.clock.step(1s);
            CHECK(stage.poller->adopt(handed("u" + std::to_string(i), stage.clock.wall())));
            stage.poller->take_turn(ours);
            stage.run();
        }
        CHECK(users(stage) == Names{"u100"});
        CHECK(script.calls.empty());
    }
}
