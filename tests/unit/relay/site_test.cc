#include "relay/delivery/site.h"

#include <catch2/catch.hpp>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "relay/delivery/connections.h"
#include "sync/base/clock.h"

using namespace postern::relay;

namespace {

Time at(int seconds) { return Time(std::chrono::seconds(1'000'000 + seconds)); }

Hosts hosts_of(const std::string& origin) {
    Hosts out;
    out.route = RouteKey::gateway("one");
    out.origin = origin;
    out.targets.resize(1);
    out.looked_up = at(0);
    return out;
}

Job job_of(const std::string& route) {
    Job out;
    out.route = RouteKey::of(route);
    return out;
}

struct Fixture {
    net::io_context io;
    postern::base::SystemClock clock;
    SitePtr site = std::make_shared<Site>("site");
    TrafficPtr traffic = std::make_shared<Traffic>(io, clock);
    SourceQueue& first = site->queues.of({"192.0.2.1", "one.example"});
    SourceQueue& second = site->queues.of({"192.0.2.2", "two.example"});
    Fixture() { site->adopt(hosts_of("a"), 3, 0); }
    std::unique_ptr<ConnectionSlot> slot(SourceQueue& from) {
        return std::make_unique<ConnectionSlot>(site, from, traffic);
    }
};

}  // namespace

TEST_CASE("a connection's place is counted at its queue, its site and among all, and given back") {
    Fixture f;
    auto one = f.slot(f.first), two = f.slot(f.second);
    CHECK(f.site->connections() == 2);
    CHECK(f.site->opening() == 2);
    CHECK(f.first.opening() == 1);
    CHECK(f.traffic->connections == 2);
    CHECK(f.traffic->sites == 1);
    { ConnectionSlot::Opening opening(*one); }
    CHECK(f.site->opening() == 1);
    CHECK(f.site->established() == 1);
    CHECK(f.first.opening() == 0);
    CHECK(f.first.connections() == 1);
    one->reopen();
    one->reopen();
    CHECK(f.site->opening() == 2);
    one.reset();
    CHECK(f.first.connections() == 0);
    CHECK(f.first.opening() == 0);
    CHECK(f.site->connections() == 1);
    CHECK(f.site->opening() == 1);
    CHECK(f.traffic->sites == 1);
    two.reset();
    CHECK(f.site->connections() == 0);
    CHECK(f.site->opening() == 0);
    CHECK(f.traffic->connections == 0);
    CHECK(f.traffic->sites == 0);
}

TEST_CASE("a site opens what its window allows, and one connection while it is in trouble") {
    Fixture f;
    std::vector<std::unique_ptr<ConnectionSlot>> slots;
    while (f.site->has_room()) slots.push_back(f.slot(f.first));
    CHECK(slots.size() == 3);
    slots.clear();
    CHECK(f.site->record_failure(0, at(1), at(2)) == Site::Failure::trouble);
    f.site->put_down("it is away", at(10));
    CHECK(f.site->has_room());
    auto probe = f.slot(f.first);
    CHECK_FALSE(f.site->has_room());
    CHECK(f.site->obstacle().down);
    CHECK(f.site->end_pause());
    CHECK_FALSE(f.site->end_pause());
    CHECK_FALSE(f.site->has_room());
    CHECK(f.site->record_success());
    CHECK(f.site->obstacle().failures == 0);
    CHECK_FALSE(f.site->record_success());
}

TEST_CASE("what was under way together fails once, and what fails beside others is a wish for fewer") {
    Fixture f;
    CHECK(f.site->record_failure(2, at(1), at(2)) == Site::Failure::fewer);
    CHECK(f.site->flow.window.size() == 2);
    CHECK(f.site->record_failure(0, at(1), at(5)) == Site::Failure::trouble);
    f.site->put_down("it is away", at(10));
    CHECK(f.site->record_failure(0, at(4), at(6)) == Site::Failure::known);
    CHECK(f.site->obstacle().failures == 1);
    // In trouble, others that stand are no excuse.
    CHECK(f.site->record_failure(2, at(7), at(8)) == Site::Failure::trouble);
}

TEST_CASE("source queues take turns") {
    Fixture f;
    std::string served;
    auto serve = [&](SourceQueue& from) {
        if (from.ready.empty()) return SourceQueues::Turn::pass;
        served += from.source.address.back();
        return SourceQueues::Turn::served;
    };
    f.site->queues.in_turn(serve);
    CHECK(served.empty());
    f.first.ready.push(job_of("mx:a.example"));
    f.second.ready.push(job_of("mx:b.example"));
    for (int times = 0; times < 4; ++times) f.site->queues.in_turn(serve);
    CHECK(served == "1212");
    f.site->queues.in_turn([](SourceQueue&) { return SourceQueues::Turn::stop; });
    f.site->queues.in_turn(serve);
    CHECK(served == "12121");
    CHECK(f.site->queues.ready() == 2);
    CHECK(f.site->queues.drain().size() == 2);
    CHECK(f.site->queues.ready() == 0);
}

TEST_CASE("a queue starves when the site has all its connections and none is for it") {
    Fixture f;
    f.second.ready.push(job_of("mx:b.example"));
    auto one = f.slot(f.first), two = f.slot(f.first);
    CHECK_FALSE(f.site->queue_starves());
    auto three = f.slot(f.first);
    CHECK(f.site->queue_starves());
    three.reset();
    three = f.slot(f.second);
    CHECK_FALSE(f.site->queue_starves());
}

TEST_CASE("other settings take the hosts away, the same ones only have them looked up again") {
    Fixture f;
    f.site->distrust("a");
    CHECK(f.site->hosts().targets.size() == 1);
    CHECK(bool(f.site->hosts().looked_up == Time{}));
    f.site->distrust("b");
    CHECK(f.site->hosts().targets.empty());
    CHECK(f.site->hosts().origin == "b");
}

TEST_CASE("a site that asks for less gets half, and a pause when it takes nothing at all") {
    Flow flow;
    flow.window = Window(20);
    flow.slow_down(at(0));
    flow.slow_down(at(0));
    CHECK(flow.window.size() == 2);
    CHECK_FALSE(flow.slow(at(0)));
    flow.slow_down(at(2));
    CHECK(flow.window.size() == 1);
    CHECK(flow.slow(at(2)));
    CHECK_FALSE(flow.slow(at(5)));
    flow.took();
    flow.slow_down(at(10));
    CHECK_FALSE(flow.slow(at(10)));
}

TEST_CASE("what was seen of hosts passes, and TLS that worked is not doubted") {
    const postern::relay::net::Endpoint host(asio::ip::make_address("192.0.2.25"), 25);
    HostMemory memory;
    CHECK(memory.failures(host) == 0);
    memory.failed(host, at(0), std::chrono::seconds(30));
    CHECK(memory.failures(host) == 1);
    CHECK(memory.doubtful(host, at(29)));
    CHECK_FALSE(memory.doubtful(host, at(30)));
    memory.failed(host, at(30), std::chrono::hours(5));
    CHECK_FALSE(memory.doubtful(host, at(30 + 15 * 60)));
    memory.reached(host);
    CHECK(memory.failures(host) == 0);

    memory.tls_failed(host, at(0), "why");
    CHECK(memory.tls_fault(host, at(59)) == "why");
    CHECK(memory.tls_fault(host, at(60)).empty());
    memory.tls_failed(host, at(60), "again");
    CHECK(memory.tls_fault(host, at(179)) == "again");
    CHECK_FALSE(memory.tls_works(host));
    memory.tls_worked(host);
    CHECK(memory.tls_works(host));
    CHECK(memory.tls_fault(host, at(61)).empty());
}

TEST_CASE("whatever connections come and go, their counts are the sums over the source queues") {
    Fixture f;
    std::minstd_rand random(7);
    std::vector<std::unique_ptr<ConnectionSlot>> slots;
    for (int step = 0; step < 2'000; ++step) {
        const std::size_t at = slots.empty() ? 0 : random() % slots.size();
        switch (random() % 4) {
            case 0: slots.push_back(f.slot(random() % 2 == 0 ? f.first : f.second)); break;
            case 1:
                if (!slots.empty()) slots.erase(slots.begin() + static_cast<std::ptrdiff_t>(at));
                break;
            case 2:
                if (!slots.empty()) ConnectionSlot::Opening opening(*slots[at]);
                break;
            default:
                if (!slots.empty()) slots[at]->reopen();
        }
        REQUIRE(f.site->connections() == slots.size());
        REQUIRE(f.site->connections() == f.first.connections() + f.second.connections());
        REQUIRE(f.site->opening() == f.first.opening() + f.second.opening());
        REQUIRE(f.site->opening() <= f.site->connections());
        REQUIRE(f.traffic->connections == slots.size());
    }
}
