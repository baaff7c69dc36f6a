#include <catch2/catch.hpp>
#include <deque>

#include "sync/directory/cache.h"
#include "sync/sync.h"
#include "tests/support/primary_double.h"
#include "tests/unit/sync/fixture.h"

using namespace postern::sync;
using namespace postern::tests;
using namespace std::chrono_literals;

namespace {

const Turn ours{}, anothers{Turn::Whose::anothers, 2, "gw1"};

/// One of the gateways in front of a primary; what it hands on is kept.
struct Gateway {
    explicit Gateway(const std::vector<std::string>& urls) {
        for (const std::string& url : urls) {
            PrimarySettings& primary = settings.emplace_back();
            primary.name = settings.size() == 1 ? "main" : "other";
            primary.url = url;
            primary.username = "gateway";
            primary.password_file = folder.write("password", "secret\n");
            primary.gap = 0ms;
        }
        sync = std::make_unique<Sync>(settings, folder.path(), recorder, machine, system_disk,
                                      [this](std::shared_ptr<const Snapshot>) { ++published; });
        sync->hand_on_with([this](std::string_view primary, std::string octets) {
            const std::lock_guard lock(mutex);
            handed.emplace_back(primary, std::move(octets));
        });
    }
    ~Gateway() { sync->stop(); }

    std::size_t count() {
        const std::lock_guard lock(mutex);
        return handed.size();
    }
    std::pair<std::string, std::string> at(std::size_t index) {
        const std::lock_guard lock(mutex);
        return handed.at(index);
    }
    Reason reason(const char* local, const char* domain) const {
        return sync->snapshot()->address(local, domain, machine.wall()).reason;
    }

    Folder folder;
    Recorder recorder;
    std::vector<PrimarySettings> settings;
    std::atomic<int> published = 0;
    std::mutex mutex;
    std::deque<std::pair<std::string, std::string>> handed;
    std::unique_ptr<Sync> sync;
};

}  // namespace

TEST_CASE("one polls, and the other knows what it has read", "[turn]") {
    PrimaryDouble primary(example_world());
    Gateway leader({primary.url()}), follower({primary.url()});
    follower.sync->take_turn(anothers);
    follower.sync->start();
    leader.sync->start();
    wait_for([&] { return leader.count() == 1; });
    CHECK(leader.at(0).first == "main");
    const auto asked = primary.requests()["count"];
    wait_for([&] { return follower.sync->report().primaries[0].polled_by == "gw1"; });
    follower.sync->adopt(leader.at(0).second);
    wait_for([&] { return follower.reason("alice", "example.com") == Reason::user; });
    CHECK(follower.reason("nobody", "example.com") == Reason::no_such_user);
    CHECK(follower.reason("alice", "elsewhere.example") == Reason::no_such_domain);
    wait_for([&] { return follower.sync->report().primaries[0].last_success != Time{}; });
    CHECK(follower.sync->report().domains.size() == 3);
    CHECK(follower.published == 1);
    CHECK(decode(follower.folder.read("directory.cache"))->at(0).domains.size() == 3);
    CHECK(follower.recorder.events().empty());
    CHECK(follower.count() == 0);

    follower.sync->poll_now();
    follower.sync->accept_suspicions();
    follower.sync->adopt("rubbish");
    wait_for([&] { return follower.recorder.count("not adopted  it is cut short") == 1; });
    CHECK(primary.requests()["count"] == asked);
    CHECK(follower.published == 1);

    std::atomic<int> answered = -1;  // single questions are its own
    follower.sync->ask("nobody", "example.com", [&](bool known) { answered = known ? 1 : 0; });
    wait_for([&] { return answered == 1; });
    CHECK(primary.requests()["count"] > asked);

    follower.sync->take_turn(ours);  // the other is gone
    wait_for([&] { return follower.sync->report().primaries[0].polled_by.empty(); });
    const PrimaryReport report = follower.sync->report().primaries[0];
    CHECK(report.next_round > report.last_success + 4min);
    follower.sync->poll_now();
    wait_for([&] { return follower.count() == 1; });
    CHECK(follower.recorder.count("synced main") == 1);
}

TEST_CASE("a request in flight when the turn goes comes to nothing", "[turn]") {
    PrimaryDouble primary(example_world());
    primary.set_switches({{"delay_ms", 300}});
    Gateway gateway({primary.url()});
    gateway.sync->start();
    wait_for([&] { return primary.requests()["count"] == 1; });
    gateway.sync->take_turn(anothers);
    wait_for([&] { return gateway.sync->report().primaries[0].polled_by == "gw1"; });
    CHECK_FALSE(gateway.sync->report().primaries[0].polling);
    primary.set_switches({{"delay_ms", 0}});
    wait_for([&] { return gateway.sync->report().primaries[0].requests > 0; });  // it has been taken
    CHECK(gateway.recorder.events().empty());
    CHECK(gateway.published == 0);
    gateway.sync->take_turn(ours);
    wait_for([&] { return gateway.recorder.count("synced main") == 1; });
}

TEST_CASE("all that is known is handed on again on request", "[turn]") {
    PrimaryDouble first(example_world());
    PrimaryDouble second(Json{{"domains", {{{"name", "second.example"}, {"users", {"sam"}}}}}});
    Gateway gateway({first.url(), second.url()});
    gateway.sync->start();
    wait_for([&] { return gateway.count() == 2; });
    gateway.sync->hand_on_again();
    wait_for([&] { return gateway.count() == 4; });
    CHECK(gateway.at(2).first == "main");
    CHECK(gateway.at(3).first == "other");
    for (std::size_t i : {2u, 3u}) {
        const auto directory = decode(gateway.at(i).second);
        REQUIRE(directory);
        REQUIRE(directory->size() == 1);
        CHECK((*directory)[0].name == gateway.at(i).first);
        CHECK((*directory)[0].domains.size() == (i == 2 ? 3 : 1));
    }
    for (const Turn& turn : {anothers, Turn{Turn::Whose::unknown, 2, ""}}) {
        gateway.sync->take_turn(turn);
        gateway.sync->hand_on_again();
        gateway.sync->adopt("rubbish");
        const std::size_t told = turn == anothers ? 1 : 2;
        wait_for([&] { return gateway.recorder.count("not adopted") == told; });
    }
    gateway.sync->poll_now();  // as nobody knows whose turn it is
    wait_for([&] { return gateway.recorder.count("synced") == 4; });
    wait_for([&] { return !gateway.sync->report().primaries[1].polling; });
    CHECK(gateway.count() == 4);
}

TEST_CASE("what is handed on before the start is taken over with it", "[turn]") {
    PrimaryDouble primary(example_world());
    Gateway gateway({primary.url(), primary.url()});
    gateway.sync->take_turn(anothers);
    for (const char* name : {"main", "other"}) {
        PrimaryRecord record{name, {}, machine.wall() - 1min, {}};
        const std::string domain = std::string(name) + ".example";
        record.domains[domain] = read_domain(domain, record.listed);
        record.domains[domain].users.content = address_list(Kind::user, {"ann"});
        gateway.sync->adopt(encode(Directory{record}));
    }
    gateway.sync->start();
    wait_for([&] { return gateway.reason("ann", "main.example") == Reason::user; });
    wait_for([&] { return gateway.reason("ann", "other.example") == Reason::user; });
    CHECK(gateway.published == 1);
    CHECK(primary.requests()["count"] == 0);
}

TEST_CASE("whoever is told what was read may fail", "[turn]") {
    PrimaryDouble primary(example_world());
    Gateway gateway({primary.url(), primary.url()});
    gateway.sync->hand_on_with([](std::string_view, const std::string&) { throw std::bad_alloc(); });
    gateway.sync->start();
    wait_for([&] { return gateway.recorder.count("failed") == 2; });
    CHECK(gateway.recorder.count("synced") == 2);
    gateway.sync->hand_on_again();
    wait_for([&] { return gateway.recorder.count("failed") == 4; });  // of each
    wait_for([&] { return gateway.reason("alice", "example.com") == Reason::user; });
}

TEST_CASE("without anybody to hand on to all is as ever", "[turn]") {
    PrimaryDouble primary(example_world());
    Gateway gateway({primary.url()});
    gateway.sync->hand_on_with({});
    gateway.sync->start();
    wait_for([&] { return gateway.recorder.count("synced main") == 1; });
    gateway.sync->hand_on_again();
    gateway.sync->poll_now();
    wait_for([&] { return gateway.recorder.count("synced main") == 2; });
    CHECK(gateway.recorder.events().size() == 2);
}

TEST_CASE("turns are taken from many threads while all goes on", "[turn]") {
    PrimaryDouble primary(example_world());
    Gateway gateway({primary.url()});
    gateway.sync->start();
    wait_for([&] { return gateway.count() == 1; });
    const std::string octets = gateway.at(0).second;
    {
        std::vector<std::jthread> callers;
        for (int caller = 0; caller < 3; ++caller)
            callers.emplace_back([&, caller] {
                for (int i = 0; i < 100; ++i) {
                    gateway.sync->take_turn(i % 3 == caller ? ours : anothers);
                    gateway.sync->adopt(octets);
                    gateway.sync->hand_on_again();
                    gateway.sync->poll_now();
                    if (gateway.sync->report().primaries.size() != 1) std::abort();
                }
            });
    }
    gateway.sync->take_turn(ours);
    gateway.sync->poll_now();
    const std::size_t before = gateway.recorder.count("synced main");
    wait_for([&] { return gateway.recorder.count("synced main") > before; });
    CHECK(gateway.recorder.count("failed") == 0);
    CHECK(gateway.recorder.count("not adopted") == 0);
    CHECK(gateway.reason("alice", "example.com") == Reason::user);
}

TEST_CASE("that another can read says nothing of credentials that were refused here", "[turn]") {
    PrimaryDouble primary(example_world());
    Gateway leader({primary.url()}), follower({primary.url()});
    leader.sync->start();
    wait_for([&] { return leader.count() == 1; });
    follower.folder.write("password", "wrong");
    follower.sync->take_turn(anothers);
    follower.sync->start();
    const auto ask = [&] {
        std::atomic<int> answered = -1;
        follower.sync->ask("nobody", "example.com", [&](bool known) { answered = known ? 1 : 0; });
        wait_for([&] { return answered >= 0; });
        return answered == 1;
    };
    Directory read = *decode(leader.at(0).second);
    for (int times = 0; times < 3; ++times) {
        read[0].listed += 1min;
        follower.sync->adopt(encode(read));
        wait_for([&] { return follower.sync->report().primaries[0].last_success == read[0].listed; });
        CHECK_FALSE(ask());
    }
    CHECK(primary.requests()["sign_ins"] == 2);  // the leader's, and one that was refused
}
