// What one gateway learns of addresses, the others know.
#include <algorithm>
#include <catch2/catch.hpp>

#include "relay/egress/news.h"

using namespace postern;
using namespace postern::relay;
using namespace std::chrono_literals;

namespace {

const Time now = std::chrono::sys_days{std::chrono::year{2026} / 6 / 1} + 10h;

SettingsPtr settings() {
    auto out = std::make_shared<Settings>();
    out->hostname = "gw.example";
    for (const char* address : {"192.0.2.1", "192.0.2.2"}) {
        EgressSettings egress;
        egress.address = address;
        out->egress.push_back(egress);
    }
    return out;
}

struct One {
    EgressPool pool{settings(), {}, now};
    EgressNews news;

    std::vector<base::Fact> take(Time at) {
        std::vector<base::Fact> out;
        news.take(out, pool, at);
        return out;
    }
    void hear(const std::vector<base::Fact>& facts, Time at) {
        for (const auto& fact : facts) news.hear(pool, fact, at);
    }
    std::size_t listings(std::size_t address, Time at) const {
        return pool.views(at)[address].listings.size();
    }
    void list(const std::string& address, Time at) {
        REQUIRE(pool.refused(address, EgressPool::Refuser("mx.example"), {ReplyMeaning::listed, "rule", 0s},
                             Reply{550, {5, 7, 1}, "listed"}, at));
    }
};

}  // namespace

TEST_CASE("a listing and its end are known elsewhere, and are told once", "[egress]") {
    One here, there;
    here.take(now);
    here.list("192.0.2.1", now + 10s);
    const auto told = here.take(now + 20s);
    CHECK(told.size() == 1);
    CHECK(here.take(now + 40s).empty());
    there.take(now);
    there.hear(told, now + 20s);
    CHECK(there.listings(0, now + 20s) == 1);
    CHECK(there.listings(1, now + 20s) == 0);
    CHECK(there.pool.choose(SitePart("mx.example"), {}, {}, now + 30s).source->address == "192.0.2.2");
    CHECK(there.take(now + 40s).empty());  // it is no news of this one's
    // What is known already changes nothing.
    there.hear(told, now + 50s);
    CHECK(there.take(now + 60s).empty());
    REQUIRE(here.pool.forget("192.0.2.1", ""));
    there.hear(here.take(now + 70s), now + 70s);
    CHECK(there.listings(0, now + 70s) == 0);
}

TEST_CASE("what is newer here stays, and a clock that is ahead keeps nobody out for long", "[egress]") {
    One here, there;
    here.list("192.0.2.1", now);
    const auto old = here.take(now);
    there.list("192.0.2.1", now + 1h);
    const auto before = there.pool.views(now + 1h)[0].listings.at(0).until;
    there.hear(old, now + 1h);
    CHECK(there.pool.views(now + 1h)[0].listings.at(0).until == before);

    One ahead, now_there;
    ahead.list("192.0.2.2", now + 24h * 300);
    now_there.hear(ahead.take(now + 24h * 300), now);
    REQUIRE(now_there.listings(1, now) == 1);
    CHECK(now_there.pool.views(now)[1].listings.at(0).until < now + 24h * 8);
}

TEST_CASE("one that is new is told all, and the system's choice is nobody else's", "[egress]") {
    One here, there;
    here.list("192.0.2.1", now);
    here.list("", now);
    std::vector<base::Fact> all;
    EgressNews::all(all, here.pool);
    for (const auto& fact : all) CHECK(fact.text.find(" ip= ") == std::string::npos);
    there.hear(all, now);
    CHECK(there.listings(0, now) == 1);
    CHECK(there.pool.views(now).size() == 2);
}

TEST_CASE("facts that are none change nothing", "[egress]") {
    One here, there;
    here.list("192.0.2.1", now);
    const auto told = here.take(now);
    for (const auto& fact : told)
        for (std::size_t cut = 0; cut < std::min(fact.text.find(" text="), fact.text.size()); ++cut)
            there.hear({{fact.kind, fact.text.substr(0, cut)}, {fact.kind + "x", fact.text}}, now);
    CHECK(there.listings(0, now) == 0);
}
