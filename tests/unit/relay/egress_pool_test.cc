#include "relay/egress/pool.h"

#include <catch2/catch.hpp>
#include <random>

#include "tests/unit/relay/egress_pool.h"

using namespace postern::relay;
using namespace postern::tests;
using namespace std::chrono_literals;

TEST_CASE("an address listed at one site stays in use at the others", "[egress]") {
    auto pool = pool_of({a, b});
    CHECK(chosen(pool, "x", noon) == a);
    CHECK(pool.choose("x", "", any, noon).source->hostname == "h192.0.2.1.example");

    const auto verdict = pool.refused(a, "x", listed_here, blocked, noon);
    REQUIRE(verdict);
    CHECK(verdict->site == "x");
    CHECK(verdict->by == "reply test");
    CHECK(verdict->text == "550 5.7.1 blocked");
    CHECK(verdict->until == noon + 6h);
    CHECK(chosen(pool, "x", noon) == b);
    CHECK(chosen(pool, "y", noon) == a);
    CHECK_FALSE(pool.usable(a, "x", noon));
    CHECK(pool.usable(a, "y", noon));

    CHECK_FALSE(pool.refused(a, "x", listed_here, blocked, noon + 1s));  // a message that was under way
}

TEST_CASE("what is not about our address changes nothing", "[egress]") {
    auto pool = pool_of({a, b});
    for (const auto meaning : {ReplyMeaning::unknown, ReplyMeaning::rate_limited, ReplyMeaning::greylisted,
                               ReplyMeaning::content, ReplyMeaning::recipient, ReplyMeaning::configuration})
        CHECK_FALSE(pool.refused(a, "x", {meaning, "r", 0s}, blocked, noon));
    CHECK(chosen(pool, "x", noon) == a);
}

TEST_CASE("when all are listed mail waits, and it is said until when and why", "[egress]") {
    auto pool = pool_of({a, b});
    pool.refused(a, "x", listed_here, blocked, noon);
    pool.refused(b, "x", {ReplyMeaning::listed, "brief", 1h}, blocked, noon);
    const auto choice = pool.choose("x", "", any, noon + 1min);
    CHECK_FALSE(choice.source);
    CHECK(choice.again == noon + 1h);
    CHECK(choice.why.find("192.0.2.1 is refused there (reply test)") != std::string::npos);
    CHECK(choice.why.find("192.0.2.2 is refused there (reply brief)") != std::string::npos);
    CHECK(chosen(pool, "y", noon) == a);
    CHECK(chosen(pool, "x", choice.again) == b);
}

TEST_CASE("the comparison with another address is a verdict about the site", "[egress]") {
    auto pool = pool_of({a, b});
    const auto verdict = pool.compared(a, "x", blocked, noon);
    REQUIRE(verdict);
    CHECK(verdict->by == "comparison");
    CHECK(verdict->site == "x");
    CHECK(chosen(pool, "x", noon) == b);
}

TEST_CASE("a restart keeps the verdicts", "[egress]") {
    auto pool = pool_of({a, b});
    CHECK(pool.changed(noon));
    pool.save();
    CHECK_FALSE(pool.changed(noon));
    pool.refused(a, "mx1.x.example mx2.x.example", listed_here, {554, {5, 7, 1}, "50% =\nlisted \xc3\xa4"},
                 noon);
    CHECK(pool.changed(noon));
    const auto state = pool.save();
    EgressPool again(fixed(with({a, b})), state, noon + 1h);
    CHECK(chosen(again, "mx1.x.example mx2.x.example", noon + 1h) == b);
    CHECK(chosen(again, "mx1.x.example mx2.x.example", noon + 6h) == a);
    const auto views = again.views(noon + 1h);
    REQUIRE(views.size() == 2);
    REQUIRE(views[0].listings.size() == 1);
    CHECK(views[0].listings[0].text == "554 5.7.1 50% = listed \xc3\xa4");
    CHECK(views[0].listings[0].until == noon + 6h);
    CHECK_FALSE(views[0].listings[0].probing);
    CHECK(again.save() == state);
}

TEST_CASE("after its time a verdict is on probation, and three messages end it", "[egress]") {
    auto pool = pool_of({a, b});
    pool.refused(a, "x", listed_here, blocked, noon);
    const auto later = noon + 6h;
    auto choice = pool.choose("x", "", any, later);
    REQUIRE(choice.source);
    CHECK(choice.source->address == a);
    CHECK(choice.probe);
    CHECK(choice.why.find("probation") != std::string::npos);
    CHECK(pool.usable(a, "x", later));
    CHECK(pool.views(later)[0].listings.at(0).probing);

    CHECK(chosen(pool, "x", later + 1s) == b);  // the rest goes to the healthy one
    CHECK(pool.accepted(a, "x", later + 2s).empty());
    CHECK(chosen(pool, "x", later + 59s) == b);
    CHECK(chosen(pool, "x", later + 60s) == a);
    CHECK(pool.accepted(a, "x", later + 61s).empty());
    CHECK(pool.accepted(a, "y", later + 61s).empty());  // says nothing about x
    CHECK(chosen(pool, "x", later + 120s) == a);
    const auto over = pool.accepted(a, "x", later + 121s);
    REQUIRE(over.size() == 1);
    CHECK(over[0].site == "x");
    choice = pool.choose("x", "", any, later + 122s);
    CHECK(choice.source->address == a);
    CHECK_FALSE(choice.probe);
    CHECK(pool.views(later)[0].listings.empty());
}

TEST_CASE("a refusal on probation doubles the time, to a day at most", "[egress]") {
    auto pool = pool_of({a, b});
    auto now = noon;
    for (const auto expected : {6h, 12h, 24h, 24h, 24h}) {
        const auto verdict = pool.refused(a, "x", listed_here, blocked, now);
        REQUIRE(verdict);
        CHECK(verdict->until - now == expected);
        CHECK(chosen(pool, "x", now) == b);
        now = verdict->until;
        CHECK(pool.choose("x", "", any, now).probe);
        pool.accepted(a, "x", now);  // not enough, and does not count after the next refusal
        pool.accepted(a, "x", now);
    }
    const auto verdict = pool.refused(a, "x", {ReplyMeaning::listed, "long", 72h}, blocked, now);
    REQUIRE(verdict);
    CHECK(verdict->until - now == 72h);  // the rule's own time is not cut
    CHECK(verdict->times == 6);
}

TEST_CASE("without a healthy address the one on probation is used", "[egress]") {
    auto pool = pool_of({a});
    pool.refused(a, "x", listed_here, blocked, noon);
    for (const auto after : {0s, 1s, 2s}) {
        const auto choice = pool.choose("x", "", any, noon + 6h + after);
        REQUIRE(choice.source);
        CHECK(choice.source->address == a);
        CHECK(choice.probe);
    }
}

TEST_CASE("a public list's verdict moves all sites when a second witness has it", "[egress]") {
    auto pool = pool_of({a, b, c});
    CHECK(pool.refused(a, {"v", "10.0.1.0/24 v.example"}, listed_everywhere, blocked, noon)->site == "v");
    // The same network, or the same owner, is no second witness; nor is one who says less.
    CHECK(pool.refused(a, {"u", "10.0.1.0/24 u.example"}, listed_everywhere, blocked, noon)->site == "u");
    CHECK(pool.refused(a, {"t", "10.0.2.0/24 v.example u.example"}, listed_everywhere, blocked, noon)->site ==
          "t");
    CHECK(pool.refused(a, "s", listed_here, blocked, noon)->site == "s");
    CHECK(chosen(pool, "y", noon) == a);
    const auto verdict = pool.refused(a, {"w", "10.0.3.0/24 w.example"}, listed_everywhere, blocked, noon);
    REQUIRE(verdict);
    CHECK(verdict->site.empty());
    CHECK(chosen(pool, "x", noon) == b);
    CHECK(chosen(pool, "y", noon) == b);
    // A probe at any site counts for all of them.
    const auto later = noon + 6h;
    CHECK(chosen(pool, "x", later) == a);
    CHECK(chosen(pool, "y", later) == b);
    pool.accepted(a, "x", later);
    pool.accepted(a, "y", later);
    CHECK(pool.accepted(a, "z", later).size() == 1);
    CHECK(chosen(pool, "y", later) == a);
}

TEST_CASE("no receivers can talk all addresses down", "[egress]") {
    auto pool = pool_of({a, b, c});
    const auto says = [&](const std::string& source, const std::string& who) {
        return pool
            .refused(source, {SitePart(who), who + "/24 " + who + ".example"}, listed_everywhere, blocked,
                     noon)
            ->site;
    };
    CHECK(says(a, "liar") == "liar");
    CHECK(says(a, "friend").empty());
    // Both have had their say.
    CHECK(says(b, "liar") == "liar");
    CHECK(says(b, "friend") == "friend");
    CHECK(chosen(pool, "y", noon) == b);
    CHECK(says(b, "honest") == "honest");
    CHECK(says(b, "second").empty());
    CHECK(chosen(pool, "y", noon) == c);
    CHECK(says(c, "third") == "third");
    CHECK(says(c, "fourth") == "fourth");  // the last one
    CHECK(chosen(pool, "y", noon) == c);

    auto mixed = pool_of({a, six});  // the last of its family
    mixed.refused(a, {"x", "x/24 x.example"}, listed_everywhere, blocked, noon);
    CHECK(mixed.refused(a, {"y", "y/24 y.example"}, listed_everywhere, blocked, noon)->site == "y");
}

TEST_CASE("what is said of a named recipient holds for its domain, until two say so", "[egress]") {
    auto pool = pool_of({a, b});
    const auto verdict = pool.refused(a, SitePart("x", "one.example"), listed_here, blocked, noon);
    REQUIRE(verdict);
    CHECK(verdict->site == "@one.example");
    CHECK(chosen(pool, {"x", "one.example"}, noon) == b);
    CHECK(chosen(pool, {"x", "two.example"}, noon) == a);
    CHECK_FALSE(pool.usable(a, {"x", "one.example"}, noon));
    // Its owner's other domains say nothing more.
    CHECK(pool.refused(a, SitePart("x", "sub.one.example"), listed_here, blocked, noon)->site ==
          "@sub.one.example");
    CHECK(chosen(pool, {"x", "two.example"}, noon) == a);
    // Nor does another site.
    CHECK(pool.refused(a, SitePart("y", "two.example"), listed_here, blocked, noon)->site == "@two.example");
    CHECK(chosen(pool, {"x", "three.example"}, noon) == a);
    CHECK(pool.refused(a, SitePart("x", "three.example"), listed_here, blocked, noon)->site == "x");
    CHECK(chosen(pool, {"x", "four.example"}, noon) == b);
    CHECK(chosen(pool, {"y", "four.example"}, noon) == a);

    const auto state = pool.save();
    EgressPool again(fixed(with({a, b})), state, noon);
    CHECK(again.save() == state);
    CHECK(chosen(again, {"y", "two.example"}, noon) == b);
    CHECK(again.forget(a, "two.example"));
    CHECK(chosen(again, {"y", "two.example"}, noon) == a);

    pool.refused(b, SitePart("y", "two.example"), listed_here, blocked, noon);
    CHECK(pool.choose({"y", "two.example"}, "", any, noon).why.find("for mail to two.example") !=
          std::string::npos);
}

TEST_CASE("who a name belongs to, by its shape", "[egress]") {
    CHECK(owner_of("mx1.dest.example") == "dest.example");
    CHECK(owner_of("dest.example") == "dest.example");
    CHECK(owner_of("a.b.example.co.uk") == "example.co.uk");
    CHECK(owner_of("example.co.uk") == "example.co.uk");
    CHECK(owner_of("co.uk") == "co.uk");
    CHECK(owner_of("mail.firma.de") == "firma.de");
    CHECK(owner_of("localhost") == "localhost");
    CHECK(owner_of("") == "");
}

TEST_CASE("DNSBLs: listed as a whole until the zone takes it back", "[egress]") {
    auto settings = with({a, b});
    settings.delivery.blocklists = {"zen.example", "bl.example"};
    EgressPool pool(fixed(settings), "", noon);
    const std::set<std::string> both{"zen.example", "bl.example"};

    auto change = pool.blocklisted(a, {{"zen.example", "127.0.0.2 SBL1"}}, both, noon);
    REQUIRE(change.listed.size() == 1);
    CHECK(change.listed[0].by == "blocklist zen.example");
    CHECK(change.listed[0].text == "127.0.0.2 SBL1");
    CHECK(chosen(pool, "x", noon) == b);

    // Again the same: no news, but it lasts. A zone that does not answer changes nothing.
    auto now = noon;
    for (int poll = 0; poll < 40; ++poll) {
        now += 15min;
        change = pool.blocklisted(a, {{"zen.example", "127.0.0.2 SBL1"}}, both, now);
        CHECK(change.listed.empty());
        CHECK(change.unlisted.empty());
        CHECK(chosen(pool, "x", now) == b);
    }
    change = pool.blocklisted(a, {}, {"bl.example"}, now);
    CHECK(change.unlisted.empty());
    CHECK(chosen(pool, "x", now) == b);

    change = pool.blocklisted(a, {{"bl.example", "127.0.0.3"}}, both, now);  // from one to the other
    CHECK(change.listed.size() == 1);
    REQUIRE(change.unlisted.size() == 1);
    CHECK(change.unlisted[0].by == "blocklist zen.example");
    CHECK(chosen(pool, "x", now) == b);
    change = pool.blocklisted(a, {}, both, now);
    CHECK(change.unlisted.size() == 1);
    CHECK(chosen(pool, "x", now) == a);
    for (int flap = 0; flap < 5; ++flap) {
        CHECK(pool.blocklisted(a, {{"bl.example", ""}}, both, now).listed.size() == 1);
        CHECK(chosen(pool, "x", now) == b);
        CHECK(pool.blocklisted(a, {}, both, now).unlisted.size() == 1);
        CHECK(chosen(pool, "x", now) == a);
    }

    // A zone that has died without taking it back does not hold for ever; nor one that is asked no more.
    pool.blocklisted(a, {{"bl.example", ""}}, both, now);
    CHECK(pool.choose("x", "", any, now + 6h).probe);
    settings.delivery.blocklists = {"zen.example"};
    pool.reload(fixed(settings), now);
    CHECK(chosen(pool, "x", now) == a);
}

TEST_CASE("a DNSBL may take all addresses away: that is the operator's own choice", "[egress]") {
    auto settings = with({a, b});
    settings.delivery.blocklists = {"zen.example"};
    EgressPool pool(fixed(settings), "", noon);
    for (const auto& address : {a, b})
        pool.blocklisted(address, {{"zen.example", "listed"}}, {"zen.example"}, noon);
    const auto choice = pool.choose("x", "", any, noon);
    CHECK_FALSE(choice.source);
    CHECK(choice.why.find("everywhere (blocklist zen.example)") != std::string::npos);
}

TEST_CASE("a clock that is set back neither overflows nor holds a verdict for years", "[egress]") {
    for (const auto wrong : {noon + 24h * 3650, Time(std::chrono::sys_days(std::chrono::year(2200) / 1 / 1)),
                             Time::max() - 24h}) {
        EgressPool pool(fixed(with({a, b})), "", wrong);
        pool.refused(a, "x", listed_here, blocked, wrong);
        CHECK(chosen(pool, "x", wrong) == b);
        const auto saved = pool.save();
        CHECK(chosen(pool, "x", noon) == b);
        CHECK(chosen(pool, "x", noon + 6h) == a);
        EgressPool again(fixed(with({a, b})), saved, noon);
        CHECK(chosen(again, "x", noon + 7h) == a);
    }
    auto pool = pool_of({a, b});
    pool.refused(a, "x", listed_here, blocked, noon);
    CHECK(chosen(pool, "x", noon + 6h) == a);  // a probe
    CHECK(chosen(pool, "x", noon - 24h) == b);
    CHECK(chosen(pool, "x", noon - 24h + 6h) == a);
    CHECK(chosen(pool, "x", Time(0s)) == b);
    CHECK(chosen(pool, "x", Time(0s) + 6h) == a);
}

TEST_CASE("the operator may forget what is known against an address", "[egress]") {
    auto pool = pool_of({a, b});
    pool.refused(a, "x", listed_here, blocked, noon);
    pool.refused(a, "y", listed_here, blocked, noon);
    CHECK_FALSE(pool.forget(a, "z"));
    CHECK(pool.forget(a, "x"));
    CHECK(chosen(pool, "x", noon) == a);
    CHECK(chosen(pool, "y", noon) == b);
    CHECK(pool.forget(a, ""));
    CHECK(chosen(pool, "y", noon) == a);
    CHECK_FALSE(pool.forget(a, ""));
}

TEST_CASE("the state is bounded, and the oldest verdicts go first", "[egress]") {
    auto pool = pool_of({a, b});
    for (int i = 0; i < 10'050; ++i)
        pool.refused(a, "site" + std::to_string(i), listed_here, blocked,
                     noon + std::chrono::milliseconds(i));
    CHECK(pool.views(noon)[0].listings.size() == 10'000);
    CHECK(pool.usable(a, "site49", noon + 1min));
    CHECK_FALSE(pool.usable(a, "site50", noon + 1min));
    EgressPool again(fixed(with({a, b})), pool.save(), noon + 1min);
    CHECK(again.views(noon)[0].listings.size() == 10'000);
}

TEST_CASE("a state that is damaged costs only the damaged lines", "[egress]") {
    auto pool = pool_of({a, b});
    pool.refused(a, "x", listed_here, blocked, noon);
    pool.refused(a, "y", listed_here, blocked, noon);
    auto state = pool.save();
    state.replace(state.find("site=x"), 6, "sote=x");
    EgressPool damaged(fixed(with({a, b})), state + "verdict \nnonsense\n\xff\xfe\n", noon);
    CHECK(damaged.usable(a, "x", noon));
    CHECK_FALSE(damaged.usable(a, "y", noon));
    state.replace(0, state.find('\n'), "postern-egress 9");
    CHECK(EgressPool(fixed(with({a, b})), state, noon).usable(a, "y", noon));
}

TEST_CASE("no sequence of events makes a listed or suspended address the choice", "[egress]") {
    const auto seed = std::random_device()();
    CAPTURE(seed);
    std::mt19937 random(seed);
    const auto below = [&](unsigned most) {
        return std::uniform_int_distribution<unsigned>(0, most - 1)(random);
    };
    const std::vector<std::string> addresses{a, b, c, six}, sites{"x", "y", "z"};
    for (int round = 0; round < 60; ++round) {
        auto settings = with(addresses, static_cast<Rotation>(below(3)));
        settings.delivery.blocklists = {"zone"};
        for (auto& egress : settings.egress) egress.warm_up = static_cast<WarmUp>(below(3));
        settings.delivery.warm_up = {1, 5};
        auto now = noon;
        EgressPool pool(fixed(settings), "", now);
        for (int step = 0; step < 400; ++step) {
            now += std::chrono::seconds(below(4) == 0 ? below(20'000) : below(30));
            if (below(50) == 0) now -= std::chrono::seconds(below(40'000));
            const auto& address = addresses[below(4)];
            const auto& site = sites[below(3)];
            switch (below(9)) {
                case 0: pool.refused(address, site, listed_here, blocked, now); break;
                case 1: pool.refused(address, site, listed_everywhere, blocked, now); break;
                case 2: pool.compared(address, site, blocked, now); break;
                case 3: pool.accepted(address, site, now); break;
                case 4: pool.blocklisted(address, {{"zone", ""}}, {"zone"}, now); break;
                case 5: pool.blocklisted(address, {}, {"zone"}, now); break;
                case 6: pool = EgressPool(fixed(settings), pool.save(), now); break;
                case 7:
                    settings.egress[below(4)].suspended = below(2) == 0;
                    pool.reload(fixed(settings), now);
                    break;
                case 8: pool.forget(address, below(2) ? site : ""); break;
            }
            const Families families{.four = below(4) != 0, .six = below(4) != 0};
            const auto choice = pool.choose(site, "example.org", families, now);
            bool some = false;
            for (const auto& one : addresses)
                some = some || ((one == six ? families.six : families.four) && pool.usable(one, site, now));
            if (choice.source) {
                CHECK(pool.usable(choice.source->address, site, now));
                CHECK_FALSE(choice.why.empty());
            } else {
                CHECK_FALSE(some);
                CHECK(choice.again > now);
                CHECK(choice.again <= now + 24h * 30);
                CHECK_FALSE(choice.why.empty());
            }
        }
    }
}
