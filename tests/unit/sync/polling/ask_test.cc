#include <atomic>
#include <catch2/catch.hpp>
#include <map>
#include <set>
#include <thread>

#include "sync/directory/publication.h"
#include "sync/directory/view.h"
#include "sync/limits.h"
#include "sync/polling/asker.h"
#include "sync/sync.h"
#include "tests/support/primary_double.h"
#include "tests/unit/stepped_clock.h"
#include "tests/unit/sync/fixture.h"

using namespace postern::sync;
using namespace postern::tests;
using namespace std::chrono_literals;
using Steady = std::chrono::steady_clock;

namespace {

Time now() { return std::chrono::system_clock::now(); }

struct Site {
    explicit Site(Json world = example_world()) : primary(std::move(world)) {
        PrimarySettings settings;
        settings.name = "main";
        settings.url = primary.url();
        settings.username = "gateway";
        settings.password_file = folder.write("password", "secret\n");
        settings.gap = 0ms;
        settings.poll_every = 1h;
        sync = std::make_unique<Sync>(std::vector{settings}, folder.path(), recorder, machine, system_disk,
                                      nullptr);
        sync->start();
        wait_for([&] { return recorder.count("synced main") == 1; });
        primary.forget_requests();
    }
    /// Asks and waits.
    Verdict ask(const std::string& local, const std::string& domain) {
        std::atomic<int> done = 0;
        sync->ask(local, domain, [&](bool yes) {
            answered = yes;
            ++done;
        });
        wait_for([&] { return done == 1; });
        snapshot = sync->snapshot();
        return snapshot->address(local, domain, now());
    }
    int count() const { return primary.requests()["count"]; }

    Folder folder;
    Recorder recorder;
    PrimaryDouble primary;
    std::unique_ptr<Sync> sync;
    std::atomic<bool> answered = false;  // the last one
    std::shared_ptr<const Snapshot> snapshot;
};

Json grown() {
    Json world = example_world();
    Json& domain = world["domains"][0];
    domain["users"].push_back("zoe");
    domain["users"].push_back({{"name", "yan"}, {"enabled", false}, {"can_receive", false}});
    domain["aliases"].push_back("offers");
    domain["lists"].push_back("club");
    domain["resources"].push_back("room9");
    return world;
}

struct Answers {
    std::mutex mutex;
    std::vector<std::string> asked;
    std::atomic<bool> held = false;
    Result<std::optional<Kind>> answer = std::optional(Kind::user);
    int cost = 4;
    std::atomic<std::size_t> learned = 0;
};

class Oracle final : public Primary {
public:
    explicit Oracle(Answers& answers) : answers_(answers) {}
    Result<void> sign_in() override { return {}; }
    Result<std::vector<ListedDomain>> domains() override { return tl::make_unexpected(Failure{}); }
    Result<DomainReading> read(const DomainRecord&) override { return tl::make_unexpected(Failure{}); }
    Result<std::optional<Kind>> look_up(const std::string& local, const std::string&,
                                        Steady::time_point) override {
        {
            const std::lock_guard lock(answers_.mutex);
            answers_.asked.push_back(local);
            requests_ += static_cast<std::uint64_t>(answers_.cost);
        }
        wait_for([&] { return !answers_.held; });
        return answers_.answer;
    }
    std::uint64_t requests() const override { return requests_; }

private:
    Answers& answers_;
    std::uint64_t requests_ = 0;
};

std::unique_ptr<Asker> asker(Answers& answers, const postern::base::Clock& clock) {
    return std::make_unique<Asker>([&](std::stop_token) { return std::make_unique<Oracle>(answers); },
                                   [&](Answer) { ++answers.learned; }, clock);
}

std::size_t asked(Answers& answers) {
    const std::lock_guard lock(answers.mutex);
    return answers.asked.size();
}

}  // namespace

TEST_CASE("a new address is known as soon as it is asked for", "[ask]") {
    Site site;
    site.primary.set_world(grown());
    CHECK(site.ask("Zoe+folder", "example.com").reason == Reason::user);
    CHECK(site.snapshot->address("zoe", "example.com", now()).standing == Standing::good);
    CHECK(site.ask("offers", "example.com").reason == Reason::alias);
    CHECK(site.ask("club", "EXAMPLE.ORG").reason == Reason::mailing_list);
    CHECK(site.snapshot->address("club", "example.com", now()).standing == Standing::good);
    CHECK(site.ask("room9", "example.com").reason == Reason::user);
    CHECK(site.ask("yan", "example.com").reason == Reason::user_disabled);
    CHECK(view(*site.snapshot, "zoe", "example.com", now()).what ==
          "user zoe in example.com, asked for by itself");

    SECTION("and is not asked for again") {
        const int before = site.count();
        for (const char* local : {"zoe", "offers", "club", "yan", "alice"}) site.ask(local, "example.com");
        CHECK(site.count() == before);
    }
    SECTION("until it is forgotten") {
        CHECK(site.sync->forget("zoe", "example.com"));
        CHECK_FALSE(site.sync->forget("zoe", "example.com"));
        CHECK_FALSE(site.sync->forget("alice", "example.com"));
        CHECK(site.sync->snapshot()->address("zoe", "example.com", now()).standing == Standing::bad);
        CHECK(site.ask("zoe", "example.com").standing == Standing::good);
    }
    SECTION("a reading takes its place") {
        site.primary.set_world(example_world());
        site.sync->poll_now();
        wait_for([&] { return site.recorder.count("synced main") == 2; });
        CHECK(site.sync->snapshot()->address("zoe", "example.com", now()).standing == Standing::bad);
    }
}

TEST_CASE("an answer that cannot be read is no word that nobody is there", "[ask]") {
    Site site;
    site.primary.set_world(grown());
    site.primary.set_switches({{"html", {"settings/domain/shared-resources"}}});
    site.ask("room9", "example.com");
    CHECK_FALSE(site.answered);
    site.primary.set_switches({{"html", Json::array()}});
    CHECK(site.ask("room9", "example.com").reason == Reason::user);
}

TEST_CASE("an address that does not exist is asked for once", "[ask]") {
    Site site;
    CHECK(site.ask("invented", "example.com").reason == Reason::no_such_user);
    const int once = site.count();
    CHECK(once > 0);
    site.ask("Invented", "example.com");
    site.ask("invented+x", "example.com");
    CHECK(site.count() == once);
    CHECK(site.sync->forget("invented", "example.com"));
    site.ask("invented", "example.com");
    CHECK(site.count() > once);
}

TEST_CASE("a domain that is in no list yet is asked about too", "[ask]") {
    Site site;
    CHECK(site.ask("alice", "elsewhere.example").reason == Reason::no_such_domain);
    const int once = site.count();
    CHECK(once > 0);
    site.ask("Alice", "Elsewhere.example");
    CHECK(site.count() == once);
    Json world = example_world();
    world["domains"].push_back({{"name", "brandnew.example"}, {"users", Json::array({"first"})}});
    site.primary.set_world(world);
    CHECK(site.ask("first", "brandnew.example").standing == Standing::good);
    CHECK(site.ask("second", "brandnew.example").reason == Reason::no_such_domain);
    CHECK(site.snapshot->address("first", "brandnew.example", now() + 2h).reason == Reason::no_such_domain);
}

TEST_CASE("nobody is asked about what is nobody's", "[ask]") {
    Site site;
    CHECK(site.ask("frank", "disabled.example").reason == Reason::domain_disabled);
    CHECK(site.ask("anyone", "example.net").reason == Reason::catch_all);
    CHECK(site.ask("postmaster", "example.com").reason == Reason::role);
    CHECK(site.ask(std::string(300, 'a'), "example.com").standing == Standing::bad);
    CHECK(site.ask("a@b", "example.com").standing == Standing::bad);
    CHECK(site.count() == 0);
}

TEST_CASE("a question that fails changes nothing", "[ask]") {
    Site site;
    const auto failing = GENERATE(as<std::string>(), "settings/sysadmin/get-user",
                                  "settings/domain/account-list-search", "settings/domain/mailing-lists");
    CAPTURE(failing);
    const auto how = GENERATE(as<std::string>(), "html", "cut", "truncate");
    CAPTURE(how);
    site.primary.set_switches({{how, {failing}}});
    CHECK(site.ask("invented", "example.com").reason == Reason::no_such_user);
    CHECK(site.snapshot->find("invented", "example.com").asked == Time{});
    CHECK(site.snapshot->address("alice", "example.com", now()).standing == Standing::good);
}

TEST_CASE("a primary that does not answer is waited for two seconds, then left alone", "[ask]") {
    Site site;
    site.primary.set_world(grown());
    site.primary.set_switches({{"delay_ms", 60000}});
    const auto start = Steady::now();
    CHECK(site.ask("zoe", "example.com").standing == Standing::bad);
    CHECK(Steady::now() - start >= 1900ms);
    wait_for([&] {  // quiet now
        const auto before = Steady::now();
        site.ask("other", "example.com");
        return Steady::now() - before < 500ms;
    });
}

TEST_CASE("refused credentials are not shown again", "[ask]") {
    Site site;
    site.folder.write("password", "changed\n");
    site.primary.forget_requests();
    site.ask("zoe", "example.com");
    CHECK(site.primary.requests()["sign_ins"] == 1);
    site.ask("zoe", "example.com");
    site.ask("yan", "example.com");
    CHECK(site.primary.requests()["sign_ins"] == 1);
}

TEST_CASE("one question for all who wait", "[asker]") {
    SteppedClock clock;
    Answers answers;
    answers.held = true;
    const auto asking = asker(answers, clock);
    std::atomic<int> done = 0, too_early = 0;
    for (int i = 0; i < 50; ++i)
        asking->ask({"ann", "a.example", "a.example"}, [&](bool) {
            too_early += answers.learned == 1 ? 0 : 1;
            ++done;
        });
    CHECK(done == 0);
    answers.held = false;
    wait_for([&] { return done == 50; });
    CHECK(asked(answers) == 1);
    CHECK(too_early == 0);
}

TEST_CASE("a flood costs a bounded trickle", "[asker]") {
    SteppedClock clock;
    Answers answers;
    answers.answer = std::optional<Kind>();
    const auto asking = asker(answers, clock);
    std::atomic<int> done = 0;
    constexpr int flood = 20000;
    for (int i = 0; i < flood; ++i)
        asking->ask({"invented" + std::to_string(i), "a.example", "a.example"}, [&](bool) { ++done; });
    wait_for([&] { return done == flood; });
    CHECK(asked(answers) * 4 == 40);
    clock.step(10s);
    for (int i = 0; i < flood; ++i)
        asking->ask({"more" + std::to_string(i), "a.example", "a.example"}, [&](bool) { ++done; });
    wait_for([&] { return done == 2 * flood; });
    CHECK(asked(answers) * 4 == 40 + 10 * 2);
}

TEST_CASE("foreign domains do not use up what is there for our own", "[asker]") {
    SteppedClock clock;
    Answers answers;
    answers.answer = std::optional<Kind>();
    const auto asking = asker(answers, clock);
    std::atomic<int> told = 0, answered = 0;
    auto ask = [&](const std::string& domain, bool unlisted) {
        asking->ask({"ann", domain, domain, unlisted}, [&](bool yes) {
            answered += yes ? 1 : 0;
            ++told;
        });
    };
    for (int i = 0; i < 90; ++i) ask("foreign" + std::to_string(i) + ".example", true);
    wait_for([&] { return told == 90; });
    CHECK(answered >= 3);
    CHECK(answered < 20);
    const int before = answered;
    for (int i = 0; i < 8; ++i) ask("own" + std::to_string(i) + ".example", false);
    wait_for([&] { return told == 98; });
    CHECK(answered == before + 8);
}

TEST_CASE("a foreign domain is refused by an answer, not by what cannot be read", "[asker]") {
    SteppedClock clock;
    Answers answers;
    const auto asking = asker(answers, clock);
    auto ask = [&](const std::string& local) {
        std::atomic<int> told = 0;
        asking->ask({local, "a.example", "a.example", true}, [&](bool yes) { told = yes ? 1 : 2; });
        wait_for([&] { return told != 0; });
        return told == 1;
    };
    answers.answer = tl::make_unexpected(Failure{Fault::unreadable, "a web page", {}});
    CHECK_FALSE(ask("ann"));
    CHECK(answers.learned == 0);
    answers.answer = tl::make_unexpected(Failure{Fault::refused, "no such domain", {}});
    CHECK(ask("ben"));
    CHECK(answers.learned == 1);
}

TEST_CASE("who waits is told whether there was an answer", "[asker]") {
    SteppedClock clock;
    Answers answers;
    const auto asking = asker(answers, clock);
    auto ask = [&](const std::string& local) {
        std::atomic<int> told = 0;
        asking->ask({local, "a.example", "a.example"}, [&](bool yes) { told = yes ? 1 : 2; });
        wait_for([&] { return told != 0; });
        return told == 1;
    };
    CHECK(ask("ann"));
    answers.answer = tl::make_unexpected(Failure{Fault::unreachable, "gone", {}});
    CHECK_FALSE(ask("ben"));
    CHECK_FALSE(ask("cyd"));  // not put at all
    CHECK(asked(answers) == 2);
}

TEST_CASE("who waits is told after two seconds, and the question goes on", "[asker]") {
    SteppedClock clock;
    Answers answers;
    answers.held = true;
    const auto asking = asker(answers, clock);
    std::atomic<int> told = 0;
    const auto ask = [&](const std::string& local) {
        asking->ask({local, "a.example", "a.example"}, [&](bool yes) { told = yes ? 1 : 2; });
    };
    ask("ann");
    wait_for([&] { return asked(answers) == 1; });
    clock.step(Asker::patience - 1ns);
    CHECK(told == 0);
    clock.step(1ns);
    wait_for([&] { return told == 2; });
    ask("ann");
    answers.held = false;
    wait_for([&] { return told == 1; });
    CHECK(asked(answers) == 1);
}

TEST_CASE("after a failure nothing is asked for five seconds", "[asker]") {
    SteppedClock clock;
    Answers answers;
    answers.answer = tl::make_unexpected(Failure{Fault::unreachable, "gone", {}});
    const auto asking = asker(answers, clock);
    const auto put = [&](const std::string& local) {
        std::atomic<int> told = 0;
        const auto before = asked(answers);
        asking->ask({local, "a.example", "a.example"}, [&](bool) { ++told; });
        wait_for([&] { return told == 1; });
        return asked(answers) > before;
    };
    CHECK(put("ann"));
    clock.step(5s - 1ns);
    CHECK_FALSE(put("ben"));
    clock.step(1ns);
    CHECK(put("ben"));
}

TEST_CASE("ending tells all who wait", "[asker]") {
    SteppedClock clock;
    Answers answers;
    answers.held = true;
    auto asking = asker(answers, clock);
    std::atomic<int> done = 0;
    for (int i = 0; i < 5; ++i)
        asking->ask({"ann" + std::to_string(i), "a.example", "a.example"}, [&](bool) { ++done; });
    wait_for([&] { return asked(answers) == 1; });
    std::thread release([&] {
        std::this_thread::sleep_for(5ms);
        answers.held = false;
    });
    asking.reset();
    release.join();
    CHECK(done == 5);
}

TEST_CASE("answers over a directory", "[learned]") {
    Directory directory{{"main", 72h, at(1000)}};
    directory[0].domains["a.example"] = read_domain("a.example", at(1000));
    directory[0].domains["unread.example"] = {};
    int published = 0;
    Publication publication(
        directory, [&](const std::shared_ptr<const Snapshot>&) { ++published; }, machine);
    const auto reason = [&](const char* local, const char* domain, long second) {
        return publication.snapshot()->address(local, domain, at(second)).reason;
    };
    publication.learn({"ann", "a.example", Kind::user, at(2000)});
    publication.learn({"bob", "unread.example", Kind::alias, at(2000)});
    publication.learn({"eve", "unread.example", std::nullopt, at(2000)});
    CHECK(published == 3);
    CHECK(reason("ANN", "a.example", 500000) == Reason::user);
    CHECK(reason("bob", "unread.example", 500000) == Reason::alias);
    CHECK(reason("eve", "unread.example", 2059) == Reason::no_such_user);
    CHECK(reason("eve", "unread.example", 2061) == Reason::domain_not_read);
    CHECK(reason("ann", "unread.example", 2001) == Reason::domain_not_read);

    directory[0].domains["a.example"] = read_domain("a.example", at(1999));  // began before
    publication.replace(directory);
    CHECK(reason("ann", "a.example", 3000) == Reason::user);
    directory[0].domains["a.example"] = read_domain("a.example", at(2001));
    publication.replace(directory);
    CHECK(reason("ann", "a.example", 3000) == Reason::no_such_user);
    CHECK(reason("bob", "unread.example", 3000) == Reason::alias);

    std::vector<Answer> many;
    for (int i = 0; i < 20000; ++i) many.push_back({"u" + std::to_string(i), "a.example", Kind::user, at(i)});
    const Learned learned(many);
    CHECK(learned.answers().size() == limits::learned);
    CHECK(learned.find("u19999", "a.example") != nullptr);
    CHECK(learned.find("u0", "a.example") == nullptr);
}
