#include <catch2/catch.hpp>

#include "tests/unit/sync/polling/handed.h"

using namespace postern::sync;
using namespace postern::tests;
using namespace std::chrono_literals;

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

TEST_CASE("who takes the turn over polls when it is due", "[turn]") {
    Stage stage;
    stage.poller->take_turn(anothers);
    stage.clock.step(10h);
    CHECK(stage.poller->adopt(handed("zoe", stage.clock.wall() - 100s)));
    SECTION("which is later when all was read a moment ago") {
        stage.poller->take_turn(ours);
        stage.run();
        CHECK(stage.scripts["main"].calls.empty());
        CHECK(stage.poller->report()[0].reachable);  // the other has reached it
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
    stage.scripts["main"].meanwhile = [&] { CHECK(stage.scripts["main"].gap == 750ms); };
    stage.run();
    stage.scripts["main"].meanwhile = nullptr;
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

TEST_CASE("a round goes on more slowly when nobody knows any more whose turn it is", "[turn]") {
    Stage stage;
    Script& script = stage.scripts["main"];
    script.domains =
        std::vector<ListedDomain>{{"a.example", "a.example", true}, {"b.example", "b.example", true}};
    stage.poller->step();
    CHECK(script.gap == 250ms);
    stage.poller->take_turn(unknown);
    CHECK(stage.poller->report()[0].polling);
    stage.poller->step();
    CHECK(script.calls.back() == "a.example");
    CHECK(script.gap == 750ms);
    stage.run();
    CHECK(stage.recorder.events() == Names{"synced main"});
}

TEST_CASE("a primary that comes while nobody knows whose turn it is is polled as slowly", "[turn]") {
    Stage stage;
    stage.poller->take_turn(unknown);
    stage.poller->reload({stage.settings_for("new")});
    stage.run();
    CHECK(stage.scripts["new"].gap == 750ms);
    CHECK(stage.poller->next_due() >= stage.clock.now() + 810s);
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
