#include "relay/security/sts_store.h"

#include <asio/use_future.hpp>
#include <catch2/catch.hpp>
#include <thread>

#include "relay/security/sts_state.h"
#include "tests/unit/relay/name_server.h"

using namespace postern::relay;
using namespace postern::tests;
using namespace std::chrono_literals;

namespace {

const std::string enforce = "version: STSv1\nmode: enforce\nmx: mx.example.com\nmax_age: 604800\n";
const std::string brief = "version: STSv1\nmode: enforce\nmx: mx.example.com\nmax_age: 600\n";
const Time start = Time(std::chrono::seconds(1'800'000'000));

const NameServer& name_server() {
    static const NameServer server(
        {Zone{"one.example", {"_mta-sts TXT \"v=STSv1; id=1;\"", "mta-sts A 192.0.2.1"}, false, {}},
         Zone{"two.example",
              {"_mta-sts TXT \"v=STSv1; id=2;\"", "mta-sts A 192.0.2.2", "mta-sts AAAA 2001:db8::2",
               "_mta-sts.bare TXT \"v=STSv1; id=2;\"", "_mta-sts.odd TXT \"v=STSv1; id=2;\"",
               "_mta-sts.odd TXT \"v=STSv1; id=3;\"", "_mta-sts.xn--bcher-kva TXT \"v=STSv1; id=4;\"",
               "mta-sts.xn--bcher-kva A 192.0.2.3"},
              false,
              {}}});
    return server;
}

struct Fetched {
    std::string domain;
    std::vector<std::string> addresses;
    std::function<void(std::string, std::string)> done;
};

class World {
public:
    explicit World(const std::string& state = "") : resolver(io, name_server().settings()) { open(state); }

    void open(const std::string& state) {
        store = std::make_unique<StsStore>(io, state, [this] { return now; });
        store->fetch_with(
            [this](const std::string& domain, const std::vector<std::string>& addresses, auto done) {
                if (answer_at_once)
                    done(body, fault);
                else
                    waiting.push_back(Fetched{domain, addresses, done});
                asked.push_back(Fetched{domain, addresses, nullptr});
            });
    }
    std::future<StsStore::Known> ask(const std::string& domain) {
        return asio::co_spawn(io, store->find(resolver, domain), asio::use_future);
    }
    void run() {
        io.restart();
        io.run();
    }
    /// Until the fetch is asked for.
    void run_to_fetch() {
        io.restart();
        while (waiting.empty() && io.run_one() > 0) {
        }
    }
    StsStore::Known find(const std::string& domain) {
        auto known = ask(domain);
        run();
        return known.get();
    }

    net::io_context io{1};
    net::Resolver resolver;
    Time now = start;
    bool answer_at_once = true;
    std::string body = enforce, fault;
    std::vector<Fetched> asked, waiting;
    std::unique_ptr<StsStore> store;  // goes first
};

bool has(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

}  // namespace

TEST_CASE("a policy is fetched once, and then known", "[sts_store]") {
    World world;
    CHECK_FALSE(world.store->changed());
    const auto known = world.find("Two.Example");
    REQUIRE(known.policy);
    CHECK(known.policy->mode == StsPolicy::Mode::enforce);
    CHECK(world.store->changed());
    REQUIRE(world.asked.size() == 1);
    CHECK(world.asked[0].domain == "two.example");
    CHECK(world.asked[0].addresses == std::vector<std::string>{"2001:db8::2", "192.0.2.2"});
    world.now += 59min;
    const auto again = world.find("two.example");
    CHECK(again.policy == known.policy);
    CHECK(again.why == "fetched 59 minutes ago");
    CHECK(world.asked.size() == 1);
}

TEST_CASE("one question however many wait", "[sts_store]") {
    World world;
    world.answer_at_once = false;
    auto first = world.ask("one.example"), second = world.ask("one.example"),
         other = world.ask("two.example");
    world.run_to_fetch();
    while (world.waiting.size() < 2 && world.io.run_one() > 0) {
    }
    REQUIRE(world.waiting.size() == 2);
    auto late = world.ask("one.example");
    // The answer comes from another thread.
    std::thread([&world] {
        for (auto& fetched : world.waiting) fetched.done(enforce, "");
    }).join();
    world.run();
    for (auto* known : {&first, &second, &other, &late}) CHECK(known->get().policy);
    CHECK(world.asked.size() == 2);
}

TEST_CASE("domains without a policy are not asked again and again", "[sts_store]") {
    World world;
    for (const char* domain : {"none.two.example", "odd.two.example"}) {
        const auto known = world.find(domain);
        CHECK_FALSE(known.policy);
        CHECK(has(known.why, "has no MTA-STS policy"));
    }
    const auto bare = world.find("bare.two.example");
    CHECK_FALSE(bare.policy);
    CHECK(has(bare.why, "mta-sts.bare.two.example"));
    for (const std::string& domain :
         {std::string("[192.0.2.1]"), std::string("a b"), std::string(), std::string(300, 'a')})
        CHECK_FALSE(world.find(domain).policy);
    CHECK(world.asked.empty());
    CHECK_FALSE(world.store->changed());
}

TEST_CASE("an international domain has its policy under its A-labels", "[sts_store]") {
    World world;
    CHECK(world
              .find("b\xc3\xbc"
                    "cher.two.example")
              .policy);
    CHECK(world.find("xn--bcher-kva.two.example").policy);
    REQUIRE(world.asked.size() == 1);
    CHECK(world.asked[0].domain == "xn--bcher-kva.two.example");
}

TEST_CASE("a failed fetch is told, and repeated after five minutes", "[sts_store]") {
    World world;
    world.body.clear();
    world.fault = "answers 404";
    const auto failed = world.find("one.example");
    CHECK_FALSE(failed.policy);
    CHECK(has(failed.why, "answers 404"));
    world.fault.clear();
    world.now += 299s;
    world.body = enforce;
    CHECK_FALSE(world.find("one.example").policy);
    CHECK(world.asked.size() == 1);
    world.now += 1s;
    CHECK(world.find("one.example").policy);
    SECTION("a policy that cannot be read") {
        World other;
        other.body = "<html>";
        CHECK(has(other.find("one.example").why, "cannot be used"));
    }
    SECTION("an empty one") {
        World other;
        other.body.clear();
        CHECK(has(other.find("one.example").why, "empty"));
    }
    SECTION("nothing to fetch with") {
        World other;
        other.store->fetch_with(nullptr);
        CHECK_FALSE(other.find("one.example").policy);
    }
}

TEST_CASE("an old policy is checked without anybody waiting", "[sts_store]") {
    World world(write_sts_state({{"one.example", {*parse_sts_policy(enforce), "1", start - 2h}},
                                 {"two.example", {*parse_sts_policy(brief), "1", start - 9min}}}));
    SECTION("the same id: no fetch") {
        CHECK(world.find("one.example").why == "fetched 2 hours ago");
        CHECK(world.asked.empty());
        CHECK_FALSE(world.store->changed());
    }
    SECTION("the same id for a day: fetched again") {
        world.now += 22h;
        world.answer_at_once = false;
        auto known = world.ask("one.example");
        world.run_to_fetch();
        while (known.wait_for(0s) != std::future_status::ready && world.io.run_one() > 0) {
        }
        REQUIRE(known.wait_for(0s) == std::future_status::ready);
        CHECK(known.get().policy);
        world.waiting[0].done(brief, "");
        world.run();
        CHECK(world.find("one.example").policy->max_age == 600s);
    }
    SECTION("a failed check leaves the policy in force, and is repeated soon") {
        world.now += 22h;
        world.fault = "answers 500";
        CHECK(world.find("one.example").policy);
        CHECK(world.find("one.example").policy);
        CHECK(world.asked.size() == 1);
        world.now += 5min;
        CHECK(world.find("one.example").policy);
        CHECK(world.asked.size() == 2);
    }
    SECTION("another id: fetched again") {
        world.now += 30s;
        world.body = enforce;
        CHECK(world.find("two.example").policy->max_age == 600s);
        CHECK(world.asked.empty());  // not an hour old
        world.now += 30s;
        CHECK(world.find("two.example").policy->max_age == 604800s);  // too old, so it was waited for
        CHECK(world.asked.size() == 1);
    }
    SECTION("older than its max_age and not to be had: none") {
        world.now += 2min;
        world.fault = "answers 500";
        CHECK_FALSE(world.find("two.example").policy);
    }
}

TEST_CASE("patience ends before a fetch that never does", "[sts_store]") {
    World world;
    world.answer_at_once = false;
    auto known = world.ask("one.example");
    world.run_to_fetch();
    REQUIRE(world.waiting.size() == 1);
    world.store.reset();
    world.io.restart();
    world.io.run();
    CHECK_FALSE(known.get().policy);
    // The answer comes when nobody is there to take it.
    world.waiting[0].done(enforce, "");
    world.waiting.clear();
}

TEST_CASE("a resolver that goes ends the question, and the next one asks anew", "[sts_store]") {
    World world;
    auto resolver = std::make_unique<net::Resolver>(world.io, name_server().settings());
    auto known = asio::co_spawn(world.io, world.store->find(*resolver, "one.example"), asio::use_future);
    for (int i = 0; i < 2; ++i) world.io.poll_one();
    resolver.reset();
    world.run();
    CHECK_FALSE(known.get().policy);
    CHECK(world.find("one.example").policy);
}

TEST_CASE("what is known survives a restart", "[sts_store]") {
    World world;
    world.find("one.example");
    world.body = brief;
    world.find("two.example");
    const std::string state = world.store->save();
    CHECK_FALSE(world.store->changed());
    world.open(state);
    world.asked.clear();
    CHECK(world.find("one.example").policy == parse_sts_policy(enforce).value());
    CHECK(world.asked.empty());
    world.now += 10min;
    CHECK(read_sts_state(world.store->save()).size() == 1);  // the other one is over
}

TEST_CASE("the state is read with the same care as what comes from outside", "[sts_store]") {
    const std::string good = "a.example 1 1800000000 enforce 600 mx.example *.b.example\n";
    const auto records = read_sts_state(good);
    REQUIRE(records.size() == 1);
    CHECK(records.begin()->second.policy.patterns.size() == 2);
    CHECK(write_sts_state(records) == good);
    for (const char* bad :
         {"", "\n", "a.example", "a.example 1 x enforce 600 mx.example",
          "a.example 1 -1 enforce 600 mx.example", "a.example 1 99999999999 enforce 600 mx.example",
          "a.example 1 1800000000 always 600 mx.example", "a.example 1 1800000000 enforce x mx.example",
          "a.example 1 1800000000 enforce 600", "a.example 1; 1800000000 enforce 600 mx.example",
          "A.example 1 1800000000 enforce 600 mx.example", "a..example 1 1800000000 enforce 600 mx.example",
          "a.example 1 1800000000 enforce 600  mx.example"}) {
        CAPTURE(bad);
        CHECK(read_sts_state(bad).empty());
        CHECK(read_sts_state(bad + ("\n" + good)).size() == 1);
    }
}

TEST_CASE("at most 10,000 domains are kept, those that expire last", "[sts_store]") {
    StsRecords records;
    for (int i = 0; i < 10'010; ++i)
        records["d" + std::to_string(i) + ".example"] = {*parse_sts_policy(enforce), "1",
                                                         start + std::chrono::seconds(i)};
    const auto kept = read_sts_state(write_sts_state(records));
    CHECK(kept.size() == 10'000);
    CHECK(kept.count("d9.example") == 0);
    CHECK(kept.count("d10.example") == 1);
}
