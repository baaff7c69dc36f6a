// What several gateways see of one sender, each a part: all of them judge by the whole.
#include <catch2/catch.hpp>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "relay/volume/news.h"
#include "relay/volume/tally.h"
#include "relay/volume/watch.h"

using namespace postern;
using namespace postern::relay;
using namespace std::chrono_literals;

namespace {

base::Time at(int day, double hour) {
    return base::Time(std::chrono::sys_days{std::chrono::year{2026} / 6 / 1}) + 24h * day +
           std::chrono::duration_cast<base::Time::duration>(
               std::chrono::duration<double, std::ratio<3600>>(hour));
}

struct One {
    Tally tally;
    Watch watch{tally};

    explicit One(bool shares = true) {
        watch.reload({UnusualSettings::Mode::enforce, 0s}, true);
        watch.tell_others(shares);
    }
    VolumeAnswer send(const std::string& local, const std::vector<std::uint64_t>& to, base::Time now) {
        const VolumeSender sender(local, "a.example", "main");
        Tally::Charge charge;
        for (std::size_t each = 0; each < to.size(); ++each)
            REQUIRE_FALSE(tally.take(charge, sender, now, false));
        const WatchedMail mail{sender, to, charge.announced(), "a subject"};
        auto answer = watch.judge(mail, now, now);
        watch.accepted(mail, answer, now, now);
        charge.keep();
        return answer;
    }
};

struct Site {
    std::vector<std::unique_ptr<One>> gateways;
    explicit Site(std::size_t count) {
        for (std::size_t one = 0; one < count; ++one) gateways.push_back(std::make_unique<One>());
    }
    /// What each knows the others hear. Gives what was told of it.
    std::vector<VolumeChange> exchange(base::Time now) {
        std::vector<VolumeChange> changes;
        for (std::size_t from = 0; from < gateways.size(); ++from) {
            std::vector<base::Fact> facts;
            gateways[from]->watch.news(facts, 1u << 20);
            for (std::size_t to = 0; to < gateways.size(); ++to)
                for (const auto& fact : facts)
                    if (to != from)
                        if (auto change =
                                gateways[to]->watch.hear("mx" + std::to_string(from), fact, now, now))
                            changes.push_back(std::move(*change));
        }
        return changes;
    }
};

std::vector<std::uint64_t> strangers(std::uint64_t from, std::uint64_t count) {
    std::vector<std::uint64_t> out;
    for (std::uint64_t one = 0; one < count; ++one) out.push_back((from + one) * 0x9e3779b97f4a7c15ull);
    return out;
}

}  // namespace

TEST_CASE("three gateways that share know what one alone would", "[watch]") {
    Site site(3);
    One alone(false);
    std::mt19937 random(11);
    std::uint64_t next = 1;
    for (int day = -14; day < 0; ++day)
        for (int mail = 0; mail < 30; ++mail) {
            const auto now = at(day, 8 + mail / 3.0);
            const auto to = random() % 3 == 0 ? strangers(next += 2, 2) : strangers(1, 2);
            const std::string who = random() % 2 == 0 ? "bob" : "carl";
            alone.send(who, to, now);
            site.gateways[random() % 3]->send(who, to, now);
            site.exchange(now);
        }
    for (const auto& gateway : site.gateways)
        for (const char* who : {"bob", "carl"}) {
            const VolumeSender sender(who, "a.example", {});
            const auto theirs = gateway->watch.usual(sender, at(0, 10), at(0, 10));
            const auto one = alone.watch.usual(sender, at(0, 10), at(0, 10));
            CHECK(theirs.volume.hour == Approx(one.volume.hour));
            CHECK(theirs.volume.day == Approx(one.volume.day));
            CHECK(theirs.days == one.days);
            CHECK(theirs.used.day == one.used.day);
        }
    // A burst, a third through each: stopped as soon as by one alone, but for what is under way.
    std::uint64_t left = 0, left_alone = 0;
    for (int mail = 0; mail < 300; ++mail) {
        const auto now = at(0, 2 + mail / 600.0);
        const auto to = strangers(next += 1, 1);
        if (alone.send("bob", to, now).level < VolumeLevel::slowed) ++left_alone;
        if (site.gateways[static_cast<std::size_t>(mail % 3)]->send("bob", to, now).level <
            VolumeLevel::slowed)
            ++left;
        site.exchange(now);
    }
    CHECK(left <= left_alone + 3);
    for (const auto& gateway : site.gateways) CHECK(gateway->watch.suspect("bob@a.example"));
    CHECK_FALSE(site.gateways[0]->watch.suspect("carl@a.example"));
}

TEST_CASE("what one finds unusual the others are told once, with who saw it", "[watch]") {
    Site site(2);
    const auto now = at(0, 2);
    std::uint64_t next = 1;
    while (site.gateways[0]->send("bob", strangers(next, 10), now).level < VolumeLevel::slowed) next += 10;
    const auto changes = site.exchange(now);
    REQUIRE(changes.size() == 1);
    CHECK(changes[0].who == "bob@a.example");
    CHECK(changes[0].level == VolumeLevel::slowed);
    CHECK(changes[0].why.find("(seen by gateway mx0)") != std::string::npos);
    CHECK(site.exchange(now).empty());
    CHECK(site.gateways[1]->send("bob", strangers(next + 100, 1), now).level == VolumeLevel::slowed);
    // The time that one takes of the sender's the other does not give again.
    const auto first = site.gateways[0]->send("bob", strangers(next + 200, 20), now).until;
    site.exchange(now);
    CHECK(site.gateways[1]->send("bob", strangers(next + 300, 20), now).until > first);
}

TEST_CASE("what receivers said at one speaks against the sender at all", "[watch]") {
    Site site(2);
    const auto now = at(0, 10);
    site.gateways[0]->send("bob", strangers(1, 5), now);
    site.exchange(now);
    const Reply spam{550, {5, 7, 1}, "message refused: the account bob@a.example sends spam"};
    site.gateways[0]->watch.answered("bob@a.example", ReceiverSays::spam, spam, now);
    site.exchange(now);
    One alone(false);
    alone.send("bob", strangers(1, 5), now);
    alone.watch.answered("bob@a.example", ReceiverSays::spam, spam, now);
    for (int mail = 0; mail < 60; ++mail) {
        const auto to = strangers(static_cast<std::uint64_t>(100 + mail * 5), 5);
        const auto there = site.gateways[1]->send("bob", to, now), here = alone.send("bob", to, now);
        CHECK(there.level == here.level);
    }
}

TEST_CASE("one that is new is told what holds and what is usual", "[watch]") {
    One old;
    for (int day = -14; day < 0; ++day)
        for (std::uint64_t mail = 0; mail < 10; ++mail) old.send("bob", {mail}, at(day, 10));
    std::uint64_t next = 1000;
    while (old.send("carl", strangers(next, 10), at(0, 2)).level < VolumeLevel::slowed) next += 10;
    old.watch.look(at(0, 2), at(0, 2));
    std::vector<base::Fact> all, brief;
    old.watch.all_news(all, true, at(0, 2), at(0, 2));
    old.watch.all_news(brief, false, at(0, 2), at(0, 2));
    CHECK(brief.size() == 1);
    One fresh;
    for (const auto& fact : all) fresh.watch.hear("mx1", fact, at(0, 2), at(0, 2));
    CHECK(fresh.watch.suspect("carl@a.example"));
    const VolumeSender bob("bob", "a.example", {});
    CHECK(fresh.watch.usual(bob, at(0, 10), at(0, 10)).days ==
          old.watch.usual(bob, at(0, 10), at(0, 10)).days);
    CHECK(fresh.watch.usual(bob, at(0, 10), at(0, 10)).volume.hour ==
          Approx(old.watch.usual(bob, at(0, 10), at(0, 10)).volume.hour));
    // Who has seen more knows better.
    One younger;
    younger.send("bob", {1}, at(-1, 10));
    std::vector<base::Fact> less;
    younger.watch.all_news(less, true, at(0, 2), at(0, 2));
    for (const auto& fact : less) old.watch.hear("mx3", fact, at(0, 2), at(0, 2));
    CHECK(old.watch.usual(bob, at(0, 10), at(0, 10)).days >= 10);
}

TEST_CASE("what was released stays released, whoever was away when that was said", "[watch]") {
    Site site(2);
    std::uint64_t next = 1;
    while (site.gateways[0]->send("bob", strangers(next, 10), at(0, 2)).level < VolumeLevel::slowed)
        next += 10;
    site.exchange(at(0, 2));
    REQUIRE(site.gateways[1]->watch.suspect("bob@a.example"));
    REQUIRE(site.gateways[0]->watch.release("bob@a.example", at(0, 3)));
    // The other one has not heard of it, and tells what it thinks.
    std::vector<base::Fact> all;
    site.gateways[1]->watch.all_news(all, false, at(0, 4), at(0, 4));
    REQUIRE_FALSE(all.empty());
    for (const auto& fact : all) CHECK_FALSE(site.gateways[0]->watch.hear("mx1", fact, at(0, 4), at(0, 4)));
    CHECK_FALSE(site.gateways[0]->watch.suspect("bob@a.example"));
    const auto decisions = site.gateways[0]->watch.decisions(at(0, 4));
    REQUIRE(decisions.size() == 1);
    CHECK(decisions[0].released);
    CHECK(site.gateways[1]->watch.release("bob@a.example", at(0, 5), decisions[0].at));
    CHECK_FALSE(site.gateways[1]->watch.suspect("bob@a.example"));
    // What begins later is not meant, neither by what was decided nor by what is kept of it.
    const auto kept = site.gateways[0]->watch.save_episodes();
    REQUIRE(kept);
    One again;
    again.watch.restore(*kept);
    CHECK(again.watch.decisions(at(0, 4)).size() == 1);
    for (int mail = 0; mail < 100; ++mail) again.send("carl", strangers(next += 10, 10), at(0, 2));
    REQUIRE(again.watch.suspect("carl@a.example"));
    CHECK_FALSE(again.watch.release("carl@a.example", at(0, 3), at(0, 1)));
    CHECK(again.watch.suspect("carl@a.example"));
    CHECK(again.watch.decisions(at(2, 4)).empty());
}

TEST_CASE("an announcement is the later one, and of the same less is left", "[watch]") {
    Tally tally;
    const auto now = at(0, 10);
    REQUIRE(tally.expect("bob@a.example", 500, now + 1h, 1000));
    const auto hear = [&](const char* who, std::uint64_t left, base::Time until, std::uint64_t announced) {
        tally.heard(Announced::Mailing{who, left, until, announced, left == 0}, now);
    };
    hear("bob@a.example", 300, now + 1h, 1000);
    CHECK(tally.announced(now).at(0).left == 300);
    hear("bob@a.example", 400, now + 1h, 1000);
    CHECK(tally.announced(now).at(0).left == 300);
    hear("bob@a.example", 900, now + 1h, 999);
    CHECK(tally.announced(now).at(0).left == 300);
    hear("bob@a.example", 900, now + 1h, 1001);
    CHECK(tally.announced(now).at(0).left == 900);
    hear("carl@a.example", 900, now - 1s, 2000);
    CHECK(tally.announced(now).size() == 1);
    const auto kept = tally.save();
    REQUIRE(kept);
    Tally again;
    again.restore(*kept, now);
    CHECK(again.announced(now).at(0).announced == 1001);
    REQUIRE(tally.expect("bob@a.example", 0, now + 1h, 1002));
    CHECK(tally.announced(now).empty());
    hear("bob@a.example", 900, now + 1h, 1001);
    CHECK(tally.announced(now).empty());
    CHECK(tally.mailings_told(now).size() == 1);
    // What a transaction gives back does not bring it back.
    REQUIRE(tally.expect("dan@a.example", 5, now + 1h, 1));
    {
        Tally::Charge charge;
        tally.take(charge, VolumeSender("dan", "a.example", "main"), now, false);
        REQUIRE(tally.expect("dan@a.example", 0, now + 1h, 2));
    }
    Tally::Charge after;
    tally.take(after, VolumeSender("dan", "a.example", "main"), now, false);
    CHECK(after.announced() == 0);
}

TEST_CASE("what was announced is spent wherever it leaves", "[watch]") {
    Site site(2);
    const auto now = at(0, 10);
    for (const auto& gateway : site.gateways) REQUIRE(gateway->tally.expect("bob@a.example", 500, now + 1h));
    site.gateways[0]->send("bob", strangers(1, 200), now);
    site.exchange(now);
    for (const auto& gateway : site.gateways) {
        const auto left = gateway->tally.announced(now);
        REQUIRE(left.size() == 1);
        CHECK(left[0].left == 300);
    }
}

TEST_CASE("facts are read as they were written, and nothing of what is none", "[watch]") {
    SentElsewhere sent{"o dd\"%\xc3\xa4@a.example", {1, 0xffffffffffffffffull, 0x20, 0x0a}, 2, false, 1500ms};
    const auto again = read_sent(fact_of(sent).text);
    REQUIRE(again);
    CHECK(again->user == sent.user);
    CHECK(again->recipients == sent.recipients);
    CHECK(again->announced == 2);
    CHECK_FALSE(again->learnt);
    CHECK(again->takes == 1500ms);
    UnusualElsewhere unusual{"bob@a.example", VolumeLevel::held, "more than\nusual", at(0, 1)};
    CHECK(read_unusual(fact_of(unusual).text)->why == unusual.why);
    AnsweredElsewhere answered{"bob@a.example", 5, 2, 1, "550 no"};
    CHECK(read_answered(fact_of(answered).text)->named_by == "550 no");

    std::mt19937 random(5);
    One one;
    for (const auto& fact : {fact_of(sent), fact_of(unusual), fact_of(answered)}) {
        for (std::size_t cut = 0; cut < fact.text.size(); ++cut)
            one.watch.hear("mx", {fact.kind, fact.text.substr(0, cut)}, at(0, 1), at(0, 1));
        for (int round = 0; round < 3000; ++round) {
            auto odd = fact;
            for (unsigned change = random() % 3; change < 3; ++change)
                odd.text[random() % odd.text.size()] = static_cast<char>(random());
            one.watch.hear("mx", odd, at(0, 1), at(0, 1));
        }
    }
    CHECK_FALSE(read_sent("1 1 999999999999 bob@a.example "));
    CHECK_FALSE(read_sent("1 1 0 nobody "));
    CHECK_FALSE(read_unusual("9 bob@a.example why 5 "));
    CHECK_FALSE(read_unusual("0 bob@a.example why 5 "));
}

TEST_CASE("news are bounded, and what is left out is known", "[watch]") {
    VolumeNews news;
    std::vector<std::uint64_t> to(1000, 7);
    for (int one = 0; one < 300; ++one) news.sent("u" + std::to_string(one) + "@a.example", to, 0, true, 0ms);
    CHECK(news.untold() == 300'000 - VolumeNews::most_recipients);
    std::size_t recipients = 0;
    for (int rounds = 0; rounds < 1000; ++rounds) {
        std::vector<base::Fact> some;
        news.take(some, 10'000);
        if (some.empty()) break;
        std::size_t octets = 0;
        for (const auto& fact : some) {
            octets += fact.text.size();
            recipients += read_sent(fact.text)->recipients.size();
        }
        CHECK(octets < 50'000);
    }
    CHECK(recipients == VolumeNews::most_recipients);
    news.sent("bob@a.example", to, 3, true, 0ms);
    std::vector<base::Fact> last;
    news.take(last, 1u << 20);
    REQUIRE(last.size() == 1);
    CHECK(read_sent(last[0].text)->announced == 3);
}
