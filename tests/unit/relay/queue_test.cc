// What the queue promises by itself, with destinations that are only answers.
#include "relay/queue/queue.h"

#include <algorithm>
#include <catch2/catch.hpp>
#include <deque>
#include <filesystem>
#include <map>
#include <set>

#include "sync/base/clock.h"
#include "tests/unit/broken_contract.h"
#include "tests/unit/relay/folder.h"
#include "tests/unit/relay/gateway_life.h"

using namespace postern::relay;
using namespace postern::tests;

namespace {

constexpr std::size_t plenty = 1'000'000;

/// A queue whose mail goes to `prefix` and the recipient's domain.
class Desk : public Observer {
public:
    Desk() {
        settings->hostname = "gw.example";
        settings->queue.retry_first = settings->queue.retry_max = std::chrono::hours(1);
        open();
    }

    void open() {
        Answers answers;
        answers.route = [this](const Envelope&, const Address& to) {
            return RouteKey::of(prefix + to.domain);
        };
        answers.exists = [](const RouteKey&) { return true; };
        answers.room = [this](const RouteKey& to) {
            auto found = room.find(to);
            std::size_t all = found == room.end() ? plenty : found->second, busy = 0;
            for (const auto& job : offered) busy += job.route == to;
            return all - std::min(all, busy);
        };
        answers.offer = [this](Job job) {
            if (refuse_in_offer) return fail(job);
            offered.push_back(std::move(job));
        };
        answers.trouble = [](const RouteKey&) { return std::string(); };
        answers.next_try = [this](const RouteKey&) { return now(); };
        answers.report = [](const Stored&, const Progress&, const std::vector<Notice>&) {
            return StoredPtr();
        };
        life = std::make_unique<GatewayLife>(
            folder.path(), clock,
            Spool::Options{4 << 20, std::chrono::microseconds(0), std::chrono::milliseconds(1)}, settings,
            *this, answers);
    }

    void restart() {
        offered.clear();
        life.reset();
        open();
    }

    StoredPtr message(std::vector<Address> recipients) {
        auto stored = std::make_shared<Stored>();
        stored->message.id = life->spool.new_id();
        stored->message.envelope.reverse_path = {"s", "example.com"};
        stored->message.envelope.forward_paths = std::move(recipients);
        stored->message.content.bytes = std::make_shared<const std::string>("x\r\n");
        stored->message.content.size = 3;
        stored->message.content.checksum = checksum("x\r\n");
        return stored;
    }
    MessageId accept(std::vector<Address> recipients, std::chrono::minutes ago = {}) {
        const StoredPtr stored = message(std::move(recipients));
        stored->message.arrived = clock.wall() - ago;
        const MessageId id = stored->message.id;
        bool done = false;
        life->spool.accept(stored, [&done](std::error_code error) {
            REQUIRE_FALSE(error);
            done = true;
        });
        while (!done) take();
        return id;
    }
    MessageId accept_for(const std::string& domain) { return accept({{"u", domain}}); }

    void take() {
        life->wait_for_completion();
        life->take_completions();
    }
    /// Everything that was told to the spool is on the disk.
    void flush() {
        while (life->queue.last_change() != 0) take();
    }

    Job next() {
        REQUIRE_FALSE(offered.empty());
        Job job = std::move(offered.front());
        offered.pop_front();
        return job;
    }
    void deliver(const Job& job) {
        Outcome outcome;
        outcome.result = Outcome::Result::delivered;
        outcome.reply = Reply{250, {}, "ok"};
        delivered.push_back(job.message->stored->message.id);
        life->queue.settle(job, std::vector<Outcome>(job.recipients.size(), outcome));
    }
    void fail(const Job& job) {
        Outcome outcome;
        outcome.reason = "no";
        life->queue.settle(job, std::vector<Outcome>(job.recipients.size(), outcome));
    }

    Time now() const { return clock.steady(); }
    void on(const event::Trouble& event) override { troubles.emplace_back(event.text); }

    postern::base::SystemClock clock;
    std::shared_ptr<Settings> settings = std::make_shared<Settings>();
    Folder folder;
    std::map<RouteKey, std::size_t> room;
    std::deque<Job> offered;
    std::vector<MessageId> delivered;
    std::vector<std::string> troubles;
    std::string prefix = "mx:";
    bool refuse_in_offer = false;
    std::unique_ptr<GatewayLife> life;
};

}  // namespace

TEST_CASE("what waits without a place in line is found, taken up anew and told", "[queue]") {
    Desk desk;
    MessageId id = desk.accept({{"a", "one.example"}, {"b", "one.example"}}, std::chrono::minutes(2));
    desk.fail(desk.next());
    desk.flush();
    auto loaded = desk.life->spool.load(id);
    REQUIRE(loaded);
    const WaitKey key{loaded->progress[0].route, loaded->progress[0].next};
    REQUIRE(desk.life->spool.waits(key, id));
    // As by a fault of ours: neither new nor waiting anywhere.
    Change change;
    change.id = id;
    change.tried = true;
    change.progress = loaded->progress;
    for (auto& one : *change.progress) one.route = {};
    desk.life->spool.change(std::move(change));
    while (desk.life->spool.waits(key, id)) desk.take();

    SECTION("by the roll call") {
        for (int times = 0; times < 3; ++times)
            desk.life->queue.run(desk.now() + std::chrono::minutes(times));
        desk.flush();
        REQUIRE(desk.troubles.size() == 1);
        CHECK(desk.troubles[0].find(id.text()) != std::string::npos);
        CHECK(desk.offered.size() == 1);
    }
    SECTION("after a restart") {
        desk.restart();
        desk.life->queue.run(desk.now());
        desk.flush();
        CHECK(desk.troubles.empty());  // it is gone through as what is new
        CHECK(desk.offered.size() == 1);
    }
    SECTION("by an operator who wants it tried") {
        CHECK(desk.life->queue.retry({id}).messages == 1);
        CHECK(desk.offered.size() == 1);
    }
}

TEST_CASE("a due time of a clock that was wrong means now", "[queue]") {
    Desk desk;
    desk.settings->queue.retry_first = desk.settings->queue.retry_max = std::chrono::hours(1000);
    desk.accept_for("one.example");
    desk.fail(desk.next());
    desk.flush();
    desk.settings->queue.retry_first = desk.settings->queue.retry_max = std::chrono::hours(1);
    desk.restart();
    desk.life->queue.run(desk.now());
    desk.flush();
    desk.life->queue.run(desk.now());
    CHECK(desk.offered.size() == 1);
    CHECK(desk.troubles.empty());
}

TEST_CASE("a route that nobody wakes is looked at again, and told", "[queue]") {
    Desk desk;
    desk.room[RouteKey::of("mx:one.example")] = 0;
    desk.accept_for("one.example");
    desk.flush();
    desk.life->queue.run(desk.now());
    CHECK(desk.offered.empty());
    desk.room[RouteKey::of("mx:one.example")] = plenty;
    desk.life->queue.run(desk.now() + std::chrono::seconds(30));
    CHECK(desk.offered.empty());
    desk.life->queue.run(desk.now() + std::chrono::seconds(61));
    CHECK(desk.offered.size() == 1);
    REQUIRE(desk.troubles.size() == 1);
    CHECK(desk.troubles[0].find("mx:one.example") != std::string::npos);
}

TEST_CASE("whoever calls for more mail is not told that the spool cannot be read, but the log is",
          "[queue]") {
    Desk desk;
    desk.room[RouteKey::of("mx:one.example")] = 0;
    desk.accept_for("one.example");
    desk.flush();
    desk.life->queue.run(desk.now());
    desk.room[RouteKey::of("mx:one.example")] = plenty;
    desk.life->make_unreadable(true);
    // He may have a message in hand that was taken just now.
    CHECK_NOTHROW(desk.life->queue.refill(RouteKey::of("mx:one.example")));
    CHECK(desk.offered.empty());
    REQUIRE(desk.troubles.size() == 1);
    CHECK(desk.troubles[0].find("it is tried again") != std::string::npos);
}

TEST_CASE("new mail does not starve what waits on the disk, nor the reverse", "[queue]") {
    Desk desk;
    desk.room[RouteKey::of("mx:one.example")] = 4;
    std::vector<MessageId> old;
    for (int n = 0; n < 40; ++n) old.push_back(desk.accept_for("one.example"));
    desk.flush();
    std::set<MessageId> fresh;
    // As much comes in as goes out.
    for (int n = 0; n < 60; ++n) {
        desk.deliver(desk.next());
        if (desk.offered.size() < 2) desk.life->queue.refill(RouteKey::of("mx:one.example"));
        fresh.insert(desk.accept_for("one.example"));
        desk.life->queue.run(desk.now());
    }
    std::size_t new_ones = 0, old_ones = 0;
    for (MessageId id : desk.delivered) (fresh.contains(id) ? new_ones : old_ones) += 1;
    CHECK(old_ones == old.size());
    CHECK(new_ones == 20);
    // Some of the new went past the old.
    auto last_old = std::find(desk.delivered.rbegin(), desk.delivered.rend(), old.back());
    CHECK(std::any_of(last_old, desk.delivered.rend(), [&](MessageId id) { return fresh.contains(id); }));
}

TEST_CASE("destinations that hang leave room in memory for the others", "[queue]") {
    Desk desk;
    auto admit = [&](const std::string& domain, int count) {
        for (int n = 0; n < count; ++n) {
            auto stored = std::make_shared<Stored>();
            stored->message.id = desk.life->spool.new_id();
            stored->message.arrived = desk.clock.wall();
            stored->message.envelope.forward_paths = {{"u", domain}};
            desk.life->queue.admit(stored);
        }
    };
    // Nothing is ever settled.
    desk.room.clear();
    std::size_t taken = 0;
    for (int n = 0; n < 11; ++n) admit("hangs" + std::to_string(n) + ".example", 2000);
    taken = desk.offered.size();
    CHECK(taken < 20'000);
    admit("well.example", 1);
    CHECK(desk.offered.back().route == RouteKey::of("mx:well.example"));
    CHECK(desk.offered.size() == taken + 1);
}

TEST_CASE("a message to many domains is written down every so often, not with each of them", "[queue]") {
    Desk desk;
    constexpr std::size_t count = 3000;
    std::vector<Address> recipients;
    for (std::size_t n = 0; n < count; ++n) recipients.push_back({"u", "d" + std::to_string(n) + ".example"});
    desk.accept(std::move(recipients));
    CHECK(desk.offered.size() < count);  // in parts, others have their turn between
    std::size_t done = 0;
    std::uint64_t last = 0;
    while (done < count) {
        if (desk.offered.empty()) desk.life->queue.run(desk.now());
        while (!desk.offered.empty()) {
            if (done % 2 == 0)
                desk.deliver(desk.next());
            else
                desk.fail(desk.next());
            ++done;
        }
        last = std::max(last, desk.life->queue.last_change());
        desk.life->take_completions();
    }
    last = std::max(last, desk.life->queue.last_change());
    CHECK(last < 300);
    desk.flush();
    CHECK(desk.life->queue.active() == 0);
    // A restart finds half of them delivered.
    desk.restart();
    auto loaded = desk.life->spool.load(desk.life->spool.messages({}, 1).front());
    CHECK(std::count_if(loaded->progress.begin(), loaded->progress.end(),
                        [](const RecipientProgress& one) { return one.pending(); }) == count / 2);
}

TEST_CASE("what was delivered and not yet written down is not sent again after a kill", "[queue]") {
    Desk desk;
    std::vector<Address> recipients;
    for (int n = 0; n < 500; ++n) recipients.push_back({"u", "d" + std::to_string(n) + ".example"});
    MessageId id = desk.accept(std::move(recipients));
    desk.deliver(desk.next());
    desk.life->hold();
    desk.life->spool.wait_for_notes();
    postern::base::SystemDisk disk;
    Folder copy;
    std::filesystem::copy(desk.folder.path(), copy.path(), std::filesystem::copy_options::recursive);
    desk.life->let_go();
    Spool again(
        copy.path(), desk.clock, disk,
        Spool::Options{4 << 20, std::chrono::microseconds(0), std::chrono::milliseconds(1)}, [](Committed) {},
        [](std::string_view, bool) {});
    auto loaded = again.load(id);
    REQUIRE(loaded);
    CHECK(std::count_if(loaded->progress.begin(), loaded->progress.end(), [](const RecipientProgress& one) {
              return one.status == RecipientStatus::delivered;
          }) == 1);
}

TEST_CASE("who calls back while a job is offered breaks a contract; behind it he may", "[queue]") {
    Desk desk;
    const auto ended = ended_after([&] {
        desk.refuse_in_offer = true;
        desk.life->queue.admit(desk.message({{"a", "one.example"}}));
    });
    CHECK(ended.signal == SIGABRT);
    CHECK(ended.said.find("does not call back while it is offered a job") != std::string::npos);
    MessageId id = desk.accept({{"b", "two.example"}});
    Job job = desk.next();
    CHECK(bool(job.message->stored->message.id == id));
    desk.deliver(job);
    desk.flush();
    CHECK_FALSE(desk.life->spool.load(id));
}

TEST_CASE("who is worked on is not read from the spool a second time", "[queue]") {
    Desk desk;
    // So many recipients that what becomes of one leg is written down in company, a moment later.
    std::vector<Address> recipients(100, {"u", "one.example"});
    for (int at = 0; at < 50; ++at) recipients.push_back({std::to_string(at), "two.example"});
    const MessageId id = desk.accept(recipients);
    REQUIRE(desk.offered.size() == 2);
    while (!desk.offered.empty()) desk.fail(desk.next());
    desk.flush();
    desk.life->queue.retry({id});
    desk.flush();
    desk.life->queue.refill(RouteKey::of("mx:one.example"));
    REQUIRE(desk.offered.size() == 1);
    // The moment of the first time comes.
    desk.life->queue.run(desk.now() + std::chrono::seconds(1));
    CHECK(desk.life->queue.active() == 1);
    desk.life->queue.retry({id});
    desk.life->queue.refill(RouteKey::of("mx:one.example"));
    CHECK(std::count_if(desk.offered.begin(), desk.offered.end(),
                        [](const Job& job) { return job.route == RouteKey::of("mx:one.example"); }) == 1);
}

TEST_CASE("a message to thousands of destinations moves to others without delay", "[queue]") {
    constexpr std::size_t many = 1'000;
    Desk desk;
    std::vector<Address> recipients;
    for (std::size_t at = 0; at < many; ++at) {
        recipients.push_back({"u", "d" + std::to_string(at) + ".example"});
        desk.room[RouteKey::exchangers(recipients.back().domain)] = 0;
    }
    desk.accept(recipients);
    desk.life->queue.run(desk.now() + std::chrono::seconds(1));
    while (desk.life->queue.waiting().size() < many) {
        desk.life->queue.run(desk.now() + std::chrono::seconds(1));
        desk.life->take_completions();
    }
    desk.prefix = "gw:";
    for (const auto& one : recipients) desk.life->queue.reroute(RouteKey::exchangers(one.domain));
    std::size_t rounds = 0;
    for (; desk.offered.size() < many; ++rounds) {
        desk.life->queue.run(desk.now() + std::chrono::seconds(1));
        desk.life->take_completions();
        REQUIRE(rounds < 100'000);
    }
    std::set<RouteKey> routes;
    for (const auto& job : desk.offered) {
        CHECK(job.route.text().starts_with("gw:"));
        CHECK(routes.insert(job.route).second);
    }
    CHECK(routes.size() == many);
}
