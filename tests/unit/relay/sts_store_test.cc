#include "relay/security/sts_store.h"
#include "relay/net/outside.h"

#include <asio/use_future.hpp>
#include <catch2/catch.hpp>

#include "relay/security/sts_state.h"
#include "tests/unit/relay/name_server.h"
#include "tests/unit/stepped_clock.h"

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

/// A fetch that was asked for, and ends when the test says how.
struct Fetching {
    Fetching(net::io_context& io, std::string domain_) : domain(std::move(domain_)), over(io) {}
    void end(StsFetched with) {
        outcome = std::move(with);
        over.expires_at(asio::steady_timer::time_point::min());
    }
    std::string domain;
    std::vector<std::string> addresses;
    StsFetched outcome;
    asio::steady_timer over;
};

StsFetched got(const std::string& body) { return {net::Asked::answered, body, {}}; }
StsFetched not_got(net::Asked asked, const std::string& why) { return {asked, {}, why}; }

class World {
public:
    explicit World(const std::string& state = "") : resolver(io, machine, outside, name_server().settings()) {
        open(state);
    }

    void open(const std::string& state) {
        store = std::make_unique<StsStore>(io, clock, state);
        store->fetch_with([this](std::string domain, std::vector<asio::ip::address> addresses) {
            return fetch(std::move(domain), std::move(addresses));
        });
    }
    net::awaitable<StsFetched> fetch(std::string domain, std::vector<asio::ip::address> addresses) {
        auto fetching = std::make_shared<Fetching>(io, std::move(domain));
        for (const auto& address : addresses) fetching->addresses.push_back(address.to_string());
        asked.push_back(fetching);
        if (answer_at_once) co_return outcome;
        fetching->over.expires_at(asio::steady_timer::time_point::max());
        co_await fetching->over.async_wait(net::as_value);
        co_return fetching->outcome;
    }
    std::future<StsKnown> ask(const std::string& domain) { return ask(resolver, domain); }
    std::future<StsKnown> ask(net::Resolver& names, const std::string& domain) {
        return asio::co_spawn(io, store->find(names, domain), asio::use_future);
    }
    /// The loop's work until `done`, or until there is none.
    template <class Done>
    void run_until(Done done) {
        io.restart();
        // A future is told on another thread, so that the loop may have nothing left to wake it.
        while (!done() && (io.run_one_for(10ms) > 0 || !io.stopped())) {
        }
    }
    void run_to_fetches(std::size_t count) {
        run_until([&] { return asked.size() >= count; });
        REQUIRE(asked.size() == count);
    }
    StsKnown get(std::future<StsKnown> known) {
        run_until([&] { return known.wait_for(0s) == std::future_status::ready; });
        REQUIRE(known.wait_for(60s) == std::future_status::ready);
        return known.get();
    }
    StsKnown find(const std::string& domain) { return get(ask(domain)); }
    /// What is found once everything that is under way has ended.
    StsKnown find_whole(const std::string& domain) {
        StsKnown known = find(domain);
        run_until([] { return false; });
        return known;
    }

    net::io_context io{1};
    postern::base::SystemClock machine;  // name servers go by it
    net::SystemOutside outside;
    SteppedClock clock{start};
    net::Resolver resolver;
    bool answer_at_once = true;
    StsFetched outcome = got(enforce);
    std::vector<std::shared_ptr<Fetching>> asked;
    std::unique_ptr<StsStore> store;  // goes first
};

/// One whose questions are answered by nobody.
net::Resolver no_answers(World& world) {
    auto settings = name_server().settings();
    const std::string port = '@' + std::to_string(free_dns_port());
    for (auto& [zone, server] : settings.stub) server = "127.0.0.1" + port;
    settings.timeout = 1s;
    return {world.io, world.machine, world.outside, settings};
}

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
    CHECK(world.asked[0]->domain == "two.example");
    CHECK(world.asked[0]->addresses == std::vector<std::string>{"2001:db8::2", "192.0.2.2"});
    world.clock.step(59min);
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
    world.run_to_fetches(2);
    auto late = world.ask("one.example");
    for (auto& fetching : world.asked) fetching->end(got(enforce));
    for (auto* known : {&first, &second, &other, &late}) CHECK(world.get(std::move(*known)).policy);
    CHECK(world.asked.size() == 2);
}

TEST_CASE("domains without a policy are not asked again and again", "[sts_store]") {
    World world;
    for (const char* domain : {"none.two.example", "odd.two.example"}) {
        const auto known = world.find(domain);
        CHECK_FALSE(known.policy);
        CHECK_FALSE(known.unsure);
        CHECK(has(known.why, "has no MTA-STS policy"));
    }
    const auto bare = world.find("bare.two.example");
    CHECK_FALSE(bare.policy);
    CHECK_FALSE(bare.unsure);
    CHECK(has(bare.why, "mta-sts.bare.two.example"));
    for (const std::string& domain :
         {std::string("[192.0.2.1]"), std::string("a b"), std::string(), std::string(300, 'a')}) {
        const auto known = world.find(domain);
        CHECK_FALSE(known.policy);
        CHECK_FALSE(known.unsure);
    }
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
    CHECK(world.asked[0]->domain == "xn--bcher-kva.two.example");
}

TEST_CASE("a failed fetch is told, and repeated after five minutes", "[sts_store]") {
    World world;
    world.outcome = not_got(net::Asked::failed, "answers 404");
    const auto failed = world.find("one.example");
    CHECK_FALSE(failed.policy);
    CHECK_FALSE(failed.unsure);
    CHECK(has(failed.why, "answers 404"));
    world.outcome = got(enforce);
    world.clock.step(299s);
    CHECK_FALSE(world.find("one.example").policy);
    CHECK(world.asked.size() == 1);
    world.clock.step(1s);
    CHECK(world.find("one.example").policy);
    SECTION("a policy that cannot be read") {
        World other;
        other.outcome = got("<html>");
        const auto known = other.find("one.example");
        CHECK(has(known.why, "cannot be used"));
        CHECK_FALSE(known.unsure);
    }
}

TEST_CASE("a fetch that was not made is no answer, and made soon", "[sts_store]") {
    World world;
    world.outcome = not_got(net::Asked::not_made, "too many policies are being fetched");
    for (int attempt = 0; attempt < 20; ++attempt) {
        const auto known = world.find("one.example");
        CHECK_FALSE(known.policy);
        CHECK(known.unsure);
        CHECK(has(known.why, "too many policies are being fetched"));
        CHECK(world.asked.size() == static_cast<std::size_t>(attempt) + 1);
        world.clock.step(attempt == 0 ? 5s : 3600s);  // however long it goes on
    }
    world.outcome = got(enforce);
    CHECK(world.find("one.example").policy);
    SECTION("not even without anything to fetch with") {
        World other;
        other.store->fetch_with(nullptr);
        CHECK(other.find("one.example").unsure);
    }
}

TEST_CASE("what others do not tell is taken for none after four hours", "[sts_store]") {
    World world;
    SECTION("a policy host that no network leads to") {
        world.outcome = not_got(net::Asked::unreachable, "network is unreachable");
        CHECK(world.find("one.example").unsure);
        world.clock.step(239min);
        CHECK(world.find("one.example").unsure);
        SECTION("the wall clock is set meanwhile") {
            world.clock.set_wall(world.clock.wall() + 48h);
            CHECK(world.find("one.example").unsure);
        }
        world.clock.step(1min);
        auto known = world.find("one.example");
        CHECK_FALSE(known.unsure);
        CHECK_FALSE(known.policy);
        CHECK(has(known.why, "network is unreachable"));
        SECTION("and asked all the same") {
            world.clock.step(5min);
            world.outcome = got(enforce);
            CHECK(world.find("one.example").policy);
        }
        SECTION("a domain that nobody wrote to for a day begins anew") {
            world.clock.step(24h);
            CHECK(world.find("one.example").unsure);
        }
        SECTION("an answer in between ends it") {
            world.clock.step(5min);
            world.outcome = not_got(net::Asked::failed, "answers 404");
            CHECK_FALSE(world.find("one.example").unsure);
            world.clock.step(5min);
            world.outcome = not_got(net::Asked::unreachable, "network is unreachable");
            CHECK(world.find("one.example").unsure);
        }
    }
    SECTION("a TXT record that cannot be looked up") {
        auto silent = no_answers(world);
        for (const auto wait : {0min, 239min}) {
            world.clock.step(wait);
            const auto known = world.get(world.ask(silent, "one.example"));
            CHECK(known.unsure);
            CHECK(has(known.why, "TXT record cannot be looked up"));
        }
        world.clock.step(1min);
        const auto known = world.get(world.ask(silent, "one.example"));
        CHECK_FALSE(known.unsure);
        CHECK_FALSE(known.policy);
        world.clock.step(5min);
        CHECK(world.find("one.example").policy);
    }
    SECTION("what is ours between is no part of it") {
        world.outcome = not_got(net::Asked::unreachable, "network is unreachable");
        CHECK(world.find("one.example").unsure);
        world.clock.step(5h);
        world.outcome = not_got(net::Asked::not_made, "too many policies are being fetched");
        CHECK(world.find("one.example").unsure);
    }
}

TEST_CASE("name servers that are away say nothing new", "[sts_store]") {
    World world(write_sts_state({{"one.example", {*parse_sts_policy(enforce), "1", start - 2h}}}));
    auto silent = no_answers(world);
    SECTION("a policy stays in force") { CHECK(world.get(world.ask(silent, "one.example")).policy); }
    SECTION("a domain that had none within a day is taken to have none") {
        CHECK_FALSE(world.find("none.two.example").unsure);
        world.clock.step(23h);
        CHECK_FALSE(world.get(world.ask(silent, "none.two.example")).unsure);
        world.clock.step(1h);
        CHECK(world.get(world.ask(silent, "none.two.example")).unsure);
    }
    SECTION("a domain whose policy could not be had is not") {
        world.outcome = not_got(net::Asked::failed, "answers 404");
        CHECK_FALSE(world.find("two.example").unsure);
        world.clock.step(5min);
        CHECK(world.get(world.ask(silent, "two.example")).unsure);
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
        world.clock.step(22h);
        world.answer_at_once = false;
        CHECK(world.find("one.example").policy);
        world.run_to_fetches(1);
        world.asked[0]->end(got(brief));
        world.run_until([] { return false; });
        CHECK(world.find("one.example").policy->max_age == 600s);
    }
    SECTION("a failed check leaves the policy in force, and is repeated soon") {
        world.clock.step(22h);
        for (auto asked : {net::Asked::failed, net::Asked::unreachable, net::Asked::not_made}) {
            const std::size_t before = world.asked.size();
            world.outcome = not_got(asked, "it rains");
            CHECK(world.find_whole("one.example").policy);
            CHECK(world.find_whole("one.example").policy);
            CHECK(world.asked.size() == before + 1);
            world.clock.step(5min);
        }
    }
    SECTION("another id: fetched again") {
        world.clock.step(30s);
        CHECK(world.find("two.example").policy->max_age == 600s);
        CHECK(world.asked.empty());  // not an hour old
        world.clock.step(30s);
        CHECK(world.find("two.example").policy->max_age == 604800s);  // too old, so it was waited for
        CHECK(world.asked.size() == 1);
    }
    SECTION("older than its max_age and not to be had: none") {
        world.clock.step(2min);
        world.outcome = not_got(net::Asked::failed, "answers 500");
        const auto known = world.find("two.example");
        CHECK_FALSE(known.policy);
        CHECK_FALSE(known.unsure);
    }
    SECTION("older than its max_age, and four hours begin then") {
        world.outcome = not_got(net::Asked::unreachable, "network is unreachable");
        world.clock.step(22h);
        CHECK(world.find_whole("one.example").policy);
        world.clock.step(143h);
        CHECK(world.find_whole("one.example").policy);
        world.clock.step(2h);
        CHECK(world.find("one.example").unsure);
    }
}

TEST_CASE("patience ends before a fetch that never does", "[sts_store]") {
    World world;
    world.answer_at_once = false;
    auto known = world.ask("one.example");
    world.run_to_fetches(1);
    SECTION("after a minute") {
        world.clock.step(1min - 1ns);
        while (world.io.poll() > 0) {
        }
        CHECK(known.wait_for(0s) == std::future_status::timeout);
        world.clock.step(1ns);
    }
    SECTION("when nobody wants to know any more") { world.store.reset(); }
    CHECK(world.get(std::move(known)).unsure);
    // The answer comes when nobody is there to take it.
    world.asked[0]->end(got(enforce));
    world.run_until([] { return false; });
}

TEST_CASE("a resolver that goes ends the question, and the next one asks anew", "[sts_store]") {
    World world;
    auto resolver =
        std::make_unique<net::Resolver>(world.io, world.machine, world.outside, name_server().settings());
    auto known = world.ask(*resolver, "one.example");
    for (int i = 0; i < 2; ++i) world.io.poll_one();
    resolver.reset();
    CHECK(world.get(std::move(known)).unsure);
    world.clock.step(5s);
    CHECK(world.find("one.example").policy);
}

TEST_CASE("what is known survives a restart", "[sts_store]") {
    World world;
    world.find("one.example");
    world.outcome = got(brief);
    world.find("two.example");
    const std::string state = world.store->save();
    CHECK_FALSE(world.store->changed());
    world.open(state);
    world.asked.clear();
    CHECK(world.find("one.example").policy == parse_sts_policy(enforce).value());
    CHECK(world.asked.empty());
    world.clock.step(10min);
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

TEST_CASE("of so many domains something is known, those with the longest policies last", "[sts_store]") {
    World world;
    StsRecords records;
    for (int i = 0; i < 12; ++i)
        records["d" + std::to_string(i) + ".example"] = {*parse_sts_policy(enforce), "1",
                                                         start + std::chrono::seconds(i)};
    StsStore store(world.io, world.clock, write_sts_state(records), 10);
    auto ask = [&](const std::string& domain) {
        auto known = asio::co_spawn(world.io, store.find(world.resolver, domain), asio::use_future);
        world.run_until([&] { return known.wait_for(0s) == std::future_status::ready; });
    };
    for (const char* domain : {"one.two.example", "two.two.example", "three.two.example"}) ask(domain);
    // The first of them took the place of those that expire first; the next ones went for one another.
    const auto kept = read_sts_state(store.save());
    CHECK(kept.size() == 9);
    CHECK(kept.count("d2.example") == 0);
    CHECK(kept.count("d3.example") == 1);
}
