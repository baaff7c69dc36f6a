// Limits that several gateways share: the sum, what each may do alone, and what is given back.
#include <catch2/catch.hpp>
#include <map>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "relay/volume/tally.h"
#include "sync/base/words.h"

using namespace postern;
using namespace postern::relay;
using namespace std::chrono_literals;
using Unit = VolumeLimit::Unit;

namespace {

const base::Time begin(1'700'000'000s);
const VolumeSender alice("alice", "example.com", "main");

/// What the server does with counts, without one: each gateway's own, by name and gateway.
class Counted {
public:
    base::CountAnswer ask(const std::string& gateway, const base::CountQuestion& question, base::Time now) {
        auto& all = counts_[question.name];
        const auto step = std::chrono::floor<std::chrono::seconds>(now.time_since_epoch()) / question.step;
        std::int64_t sum = 0;
        std::map<std::int64_t, std::int64_t> others;
        const auto each = [&](const std::string& steps, const auto& take) {
            std::string_view text = steps;
            while (!text.empty()) {
                auto pair = base::take_part(text, ',');
                std::int64_t number = 0, count = 0;
                REQUIRE(base::parse_number(base::take_part(pair, '='), number));
                REQUIRE(base::parse_number(pair, count));
                if (number > step - 12 && number <= step + 12) take(number, count);
            }
        };
        std::string mine = question.steps;
        if (question.first) {
            std::map<std::int64_t, std::int64_t> most, given;
            each(all[gateway], [&](auto number, auto count) { most[number] += count; });
            each(mine, [&](auto number, auto count) { given[number] += count; });
            for (const auto& [number, count] : given) most[number] = std::max(most[number], count);
            mine.clear();
            for (const auto& [number, count] : most)
                mine += (mine.empty() ? "" : ",") + std::to_string(number) + '=' + std::to_string(count);
        }
        each(mine, [&](auto, auto count) { sum += count; });
        for (const auto& [other, steps] : all)
            if (other != gateway)
                each(steps, [&](auto number, auto count) {
                    sum += count;
                    others[number] += count;
                });
        base::CountAnswer out;
        out.name = question.name;
        out.answered = true;
        out.granted = static_cast<std::uint32_t>(std::max<std::int64_t>(
            0, std::min<std::int64_t>(question.claim, static_cast<std::int64_t>(question.limit) - sum)));
        all[gateway] = mine;
        out.own = mine;
        if (out.granted > 0)
            all[gateway] +=
                (mine.empty() ? "" : ",") + std::to_string(step) + '=' + std::to_string(out.granted);
        for (const auto& [number, count] : others)
            out.others +=
                (out.others.empty() ? "" : ",") + std::to_string(number) + '=' + std::to_string(count);
        ++asked;
        return out;
    }
    void wipe() { counts_.clear(); }
    std::uint64_t asked = 0;

private:
    std::map<std::string, std::map<std::string, std::string>> counts_;
};

struct Site {
    Site(unsigned gateways, LimitSettings limits, std::chrono::seconds apart = 0s) : apart(apart) {
        for (unsigned one = 0; one < gateways; ++one) {
            tallies.push_back(std::make_unique<Tally>());
            tallies.back()->reload(limits);
        }
        reach(true);
    }
    void reach(bool reachable) {
        reachable_ = reachable;
        for (std::size_t one = 0; one < tallies.size(); ++one)
            tallies[one]->reach(
                {static_cast<unsigned>(tallies.size()), true, reachable, apart * static_cast<int>(one)});
    }
    /// By its own clock, which is behind the common one by `apart` for each before it.
    base::Time at(std::size_t gateway) const { return now - apart * static_cast<int>(gateway); }

    void exchange(std::size_t gateway, bool urgent) {
        if (!reachable_) return;
        for (const auto& question : tallies[gateway]->questions(urgent, 1000, at(gateway)))
            tallies[gateway]->heard(server.ask("mx" + std::to_string(gateway), question, now), at(gateway));
    }
    /// One message to one; true when it is let through.
    bool hand_in(std::size_t gateway, const VolumeSender& sender = alice) {
        Tally::Charge charge;
        bool tell = false;
        auto reached = tallies[gateway]->take(charge, sender, at(gateway), false, &tell);
        if (tell) {
            exchange(gateway, true);
            reached = tallies[gateway]->take(charge, sender, at(gateway), false);
        }
        last = reached;
        charge.keep();
        return !reached;
    }

    Counted server;
    std::vector<std::unique_ptr<Tally>> tallies;
    base::Time now = begin;
    const std::chrono::seconds apart;
    std::optional<LimitReached> last;

private:
    bool reachable_ = true;
};

LimitSettings recipients(std::uint64_t count, std::chrono::seconds period = 1h) {
    LimitSettings out;
    out.user = {{Unit::recipients, count, period}};
    return out;
}

}  // namespace

TEST_CASE("the sum of what gateways let through holds within a twentieth of the limit", "[tally]") {
    for (const std::uint64_t limit : {1U, 3U, 10U, 60U, 100U, 500U, 1000U, 25000U})
        for (const unsigned gateways : {1U, 2U, 3U, 7U}) {
            std::mt19937 random(static_cast<unsigned>(limit * 10 + gateways));
            Site site(gateways, recipients(limit));
            std::uint64_t passed = 0;
            // All at once, in bursts of one gateway, and with exchanges of their own in between.
            for (std::uint64_t one = 0; one < 3 * limit + 20; ++one) {
                const std::size_t gateway = random() % 3 == 0 ? random() % gateways : one / 7 % gateways;
                passed += site.hand_in(gateway) ? 1 : 0;
                if (random() % 20 == 0) site.exchange(random() % gateways, false);
            }
            INFO(limit << " over " << gateways);
            CHECK(passed <= limit + limit / 20);
            CHECK(passed >= limit - limit / 20);
        }
}

TEST_CASE("one gateway alone of several may take nearly all of a limit", "[tally]") {
    for (const std::uint64_t limit : {1U, 10U, 100U, 1000U}) {
        Site site(3, recipients(limit));
        std::uint64_t passed = 0;
        for (std::uint64_t one = 0; one < 2 * limit; ++one) passed += site.hand_in(1) ? 1 : 0;
        CHECK(passed == limit);
        CHECK(site.last);
        CHECK(site.last->elsewhere == 0);
        CHECK(!site.last->share);
        // And then nothing through another, which says why.
        std::uint64_t more = 0;
        for (std::uint64_t one = 0; one < 2 * limit; ++one) more += site.hand_in(2) ? 1 : 0;
        CHECK(more <= limit / 20);
        REQUIRE(site.last);
        CHECK(site.last->elsewhere + limit / 20 >= limit);
    }
}

TEST_CASE("what is counted elsewhere is forgotten when its time is over, not sooner, whatever the clocks",
          "[tally]") {
    for (const auto apart : {0s, 1s, 137s, 1000s, 40'000s}) {
        Site site(2, recipients(100), apart);
        for (int one = 0; one < 100; ++one) REQUIRE(site.hand_in(0));
        CHECK(!site.hand_in(0));
        for (int one = 0; one < 6; ++one) site.hand_in(1);
        CHECK(!site.hand_in(1));
        site.now += 50min;
        CHECK(!site.hand_in(1));
        CHECK(!site.hand_in(0));
        site.now += 25min;
        CHECK(site.hand_in(1));
        CHECK(site.hand_in(0));
    }
}

TEST_CASE("without a word from the others each goes by a share of what is left", "[tally]") {
    Site site(3, recipients(900));
    for (int one = 0; one < 300; ++one) REQUIRE(site.hand_in(0));
    for (std::size_t gateway = 0; gateway < 3; ++gateway) {
        site.hand_in(gateway);
        site.exchange(gateway, false);
    }
    site.reach(false);
    std::uint64_t passed = 303;
    for (int one = 0; one < 3000; ++one) passed += site.hand_in(static_cast<std::size_t>(one % 3)) ? 1 : 0;
    CHECK(passed <= 945);
    CHECK(passed >= 855);
    REQUIRE(site.last);
    CHECK(site.last->share);
}

TEST_CASE("a long time without the others costs a share of the limit, and no more", "[tally]") {
    Site site(3, recipients(900));
    site.reach(false);
    std::uint64_t refused = 0;
    for (int minute = 0; minute < 24 * 60; ++minute) {
        site.now += 1min;
        for (int one = 0; one < 4; ++one) refused += site.hand_in(0) ? 0 : 1;  // 240 of a share of 300
    }
    CHECK(refused == 0);
    std::uint64_t passed = 0;
    for (int one = 0; one < 900; ++one) passed += site.hand_in(0) ? 1 : 0;
    CHECK(passed <= 90);
}

TEST_CASE("what was counted while nobody heard is told afterwards", "[tally]") {
    Site site(2, recipients(1000));
    site.reach(false);
    for (int one = 0; one < 400; ++one) REQUIRE(site.hand_in(0));
    site.reach(true);
    site.exchange(0, false);
    std::uint64_t passed = 0;
    for (int one = 0; one < 2000; ++one) passed += site.hand_in(1) ? 1 : 0;
    CHECK(passed >= 550);
    CHECK(passed <= 650);
}

TEST_CASE("a server that forgets is told again what counts", "[tally]") {
    Site site(2, recipients(1000));
    for (int one = 0; one < 800; ++one) REQUIRE(site.hand_in(0));
    site.exchange(0, false);
    site.server.wipe();
    for (auto& tally : site.tallies) tally->tell_all_again();
    site.exchange(0, false);
    site.exchange(1, false);
    std::uint64_t passed = 0;
    for (int one = 0; one < 1000; ++one) passed += site.hand_in(1) ? 1 : 0;
    CHECK(passed <= 250);
    CHECK(passed >= 150);
}

TEST_CASE("what a gateway told before it was killed counts when it is back", "[tally]") {
    Site site(2, recipients(300));
    for (int one = 0; one < 300; ++one) REQUIRE(site.hand_in(0));
    site.exchange(0, false);
    site.tallies[0] = std::make_unique<Tally>();  // with nothing that was kept
    site.tallies[0]->reload(recipients(300));
    site.reach(true);
    std::uint64_t passed = 0;
    for (int one = 0; one < 300; ++one) passed += site.hand_in(0) ? 1 : 0;
    CHECK(passed <= 15);
    CHECK_FALSE(site.hand_in(0));
}

TEST_CASE("what is given back after the others were told is given back there too", "[tally]") {
    Site site(2, recipients(100));
    {
        Tally::Charge charge;
        for (int one = 0; one < 60; ++one) {
            bool tell = false;
            site.tallies[0]->take(charge, alice, site.now, false, &tell);
            if (!tell) continue;
            site.exchange(0, true);
            REQUIRE_FALSE(site.tallies[0]->take(charge, alice, site.now, false));
        }
        site.exchange(0, false);
        site.exchange(0, false);
    }
    site.exchange(0, false);
    std::uint64_t passed = 0;
    for (int one = 0; one < 200; ++one) passed += site.hand_in(1) ? 1 : 0;
    CHECK(passed == 100);
}

TEST_CASE("what was claimed and is not taken can be taken elsewhere", "[tally]") {
    Site site(2, recipients(100));
    for (int one = 0; one < 50; ++one) REQUIRE(site.hand_in(0));
    site.exchange(0, false);
    site.exchange(0, false);
    std::uint64_t passed = 0;
    for (int one = 0; one < 100; ++one) passed += site.hand_in(1) ? 1 : 0;
    CHECK(passed == 50);
}

TEST_CASE("a transaction that comes to nothing is given back everywhere", "[tally]") {
    Site site(2, recipients(100));
    for (int one = 0; one < 200; ++one) {
        Tally::Charge charge;
        bool tell = false;
        if (site.tallies[0]->take(charge, alice, site.now, false, &tell)) FAIL("refused");
        if (!tell) continue;
        site.exchange(0, true);
        CHECK(!site.tallies[0]->take(charge, alice, site.now, false));
    }
    site.exchange(0, false);
    site.exchange(0, false);
    std::uint64_t passed = 0;
    for (int one = 0; one < 200; ++one) passed += site.hand_in(1) ? 1 : 0;
    CHECK(passed == 100);
}

TEST_CASE("senders who send little cost no question, and many are asked about in small parts", "[tally]") {
    Site site(3, recipients(1000));
    for (int one = 0; one < 2000; ++one)
        REQUIRE(site.hand_in(0, VolumeSender("user" + std::to_string(one), "example.com", "main")));
    CHECK(site.server.asked == 0);
    CHECK(site.tallies[0]->questions(false, 500, site.now).size() == 500);
    std::uint64_t before = site.server.asked;
    for (int one = 0; one < 1000; ++one) REQUIRE(site.hand_in(1));
    CHECK(site.server.asked - before <= 1000 / 16);
}

TEST_CASE("what others answer cannot be anything", "[tally]") {
    Site site(2, recipients(100));
    REQUIRE(site.hand_in(0));
    for (const char* name :
         {"", "x", "1r", "9r0alice@example.com", "1r0nobody@example.com", "1q0alice@example.com"})
        site.tallies[0]->heard({name, true, 5, "1=1", {}}, site.now);
    for (const char* others :
         {"", "x", "1", "=", "1=", "=1", "-1=5", "99999999999999999999=1", "1=99999999999999999999",
          "9223372036854775807=1", ",,,", "1=1,1=1,", "5666666=4294967295,5666666=4294967295"})
        site.tallies[0]->heard({"1r0alice@example.com", true, 0, others, {}}, site.now);
    CHECK(site.hand_in(1));
}
