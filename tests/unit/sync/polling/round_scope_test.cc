#include <catch2/catch.hpp>
#include <set>

#include "sync/polling/merge.h"
#include "tests/unit/sync/fixture.h"

using namespace postern::sync;
using namespace postern::tests;
using namespace std::chrono_literals;

namespace {

constexpr long start = 1'000'000;

struct World {
    explicit World(int domains) : record{"main", 72h} {
        for (int i = 0; i < domains; ++i) {
            const std::string name = "d" + std::to_string(1000 + i) + ".example";
            listed.push_back({name, name, true, DomainCounts{10, 2, 1, 0}});
        }
    }
    /// A round in which all that is due is read; gives its size.
    std::size_t round(long second, const RoundScope& scope = {false}) {
        std::vector<Loss> losses;
        const auto due = merge(record, listed, at(second), losses, scope);
        for (const std::string& name : due) {
            DomainReading reading;
            reading.options = DomainOptions{};
            reading.users = address_list(Kind::user, {"ann"});
            reading.aliases = reading.lists = reading.resources = AddressList{};
            reading.domain_aliases = std::vector<std::string>{};
            apply(record.domains.at(name), reading, at(second));
            read.insert(name);
        }
        return due.size();
    }

    PrimaryRecord record;
    std::vector<ListedDomain> listed;
    std::set<std::string> read;
};

}  // namespace

TEST_CASE("domains that do not change are read in twelve rounds", "[round-scope]") {
    const int count = GENERATE(1, 10, 500);
    World world(count);
    CHECK(world.round(start) == world.listed.size());
    world.read.clear();
    std::size_t cost = 0;
    for (int i = 1; i <= 12; ++i) cost += world.round(start + 300 * i);
    CHECK(world.read.size() == world.listed.size());
    CHECK(cost <= world.listed.size() + 12);
}

TEST_CASE("what has changed is read at once", "[round-scope]") {
    World world(500);
    world.round(start);
    world.read.clear();
    SECTION("counts") {
        world.listed[7].counts->users = 11;
        world.listed[8].counts->aliases = 3;
        world.listed[9].counts->lists = 0;
        world.listed[10].counts->domain_aliases = 1;
        CHECK(world.round(start + 300, {false, 0}) == 4);
        CHECK(world.read.contains("d1007.example"));
        CHECK(world.round(start + 600, {false, 0}) == 0);
    }
    SECTION("no counts") {
        world.listed[7].counts.reset();
        CHECK(world.round(start + 300, {false, 0}) == 1);
        CHECK(world.round(start + 600, {false, 0}) == 1);
    }
    SECTION("trouble, and what is held back") {
        world.record.domains["d1003.example"].error = "cut short";
        world.record.domains["d1004.example"].users.suspicion = Suspicion{};
        CHECK(world.round(start + 300, {false, 0}) == 2);
    }
    SECTION("all, when it was asked for") { CHECK(world.round(start + 300, {true}) == 500); }
    SECTION("a new one") {
        world.listed.push_back({"new.example", "new.example", true, DomainCounts{}});
        CHECK(world.round(start + 300, {false, 0}) == 1);
    }
}

TEST_CASE("no domain stays unread for a day, or half of what it is trusted for", "[round-scope]") {
    World world(50);
    world.round(start);
    CHECK(world.round(start + 86400 - 1, {false, 0}) == 0);
    CHECK(world.round(start + 86400, {false, 0}) == 50);
    world.record.trust_for = 2h;
    CHECK(world.round(start + 86400 + 3599, {false, 0}) == 0);
    CHECK(world.round(start + 86400 + 3600, {false, 0}) == 50);
}

TEST_CASE("a reading that was not complete does not count", "[round-scope]") {
    World world(1);
    world.round(start);
    world.listed[0].counts->users = 11;
    std::vector<Loss> losses;
    REQUIRE(merge(world.record, world.listed, at(start + 300), losses, {false, 0}).size() == 1);
    DomainReading broken;
    broken.options = DomainOptions{};
    apply(world.record.domains.at("d1000.example"), broken, at(start + 300));
    CHECK(merge(world.record, world.listed, at(start + 600), losses, {false, 0}).size() == 1);
}
