#include "relay/volume/watch.h"

#include <catch2/catch.hpp>

#include "relay/volume/tally.h"

using namespace postern;
using namespace postern::relay;
using namespace std::chrono_literals;

namespace {

/// A Monday of a site that has been watched since long ago.
base::Time at(int day, double hour) {
    return base::Time(std::chrono::sys_days{std::chrono::year{2026} / 6 / 1}) + 24h * day +
           std::chrono::duration_cast<base::Time::duration>(
               std::chrono::duration<double, std::ratio<3600>>(hour));
}

struct Site {
    Tally tally;
    Watch watch{tally};
    std::uint64_t stranger = 1000;

    explicit Site(UnusualSettings settings = {UnusualSettings::Mode::enforce, 0s}) {
        watch.reload(settings, true);
    }

    VolumeAnswer send(const std::string& local, std::vector<std::uint64_t> to, base::Time now,
                      const std::string& domain = "a.example") {
        const VolumeSender sender(local, domain, "main");
        Tally::Charge charge;
        for (std::size_t at = 0; at < to.size(); ++at) REQUIRE_FALSE(tally.take(charge, sender, now, false));
        const WatchedMail mail{sender, to, charge.announced(), "a subject\r\n of two lines"};
        auto answer = watch.judge(mail, now, now);
        watch.accepted(mail, answer, now, now);
        charge.keep();
        return answer;
    }
    VolumeAnswer to_strangers(const std::string& local, int recipients, base::Time now) {
        std::vector<std::uint64_t> to;
        for (int i = 0; i < recipients; ++i) to.push_back(++stranger * 0x9e3779b97f4a7c15ull);
        return send(local, to, now);
    }
    /// Ten a day to the same ten, for so many days.
    void live(const std::string& local, int days) {
        for (int day = -days; day < 0; ++day)
            for (std::uint64_t i = 1; i <= 10; ++i)
                REQUIRE(send(local, {i}, at(day, 10 + static_cast<double>(i) / 100)).level <
                        VolumeLevel::slowed);
        watch.look(at(0, 0), at(0, 0));
    }
};

}  // namespace

TEST_CASE("a stolen password is slowed down by night before it has reached fifty") {
    Site site;
    site.live("bob", 14);
    int left = 0;
    VolumeAnswer answer;
    for (int i = 0; i < 300; ++i) {
        answer = site.to_strangers("bob", 1, at(0, 2 + i / 600.0));
        if (answer.level == VolumeLevel::usual || answer.level == VolumeLevel::noted) ++left;
    }
    REQUIRE(left < 50);
    REQUIRE(answer.level >= VolumeLevel::slowed);
    REQUIRE(site.watch.suspect("bob@a.example"));
    REQUIRE(site.send("carl", {1}, at(0, 3)).level == VolumeLevel::usual);
    const auto shown = site.watch.views(at(0, 3));
    REQUIRE(shown.size() == 1);
    REQUIRE(shown[0].who == "bob@a.example");
    REQUIRE(shown[0].subjects == std::vector<std::string>{"a subject?? of two lines"});
}

TEST_CASE("who is slowed down has his mail leave one after the other, and what would wait for days is held") {
    Site site;
    site.live("bob", 14);
    base::Time last = at(0, 12);
    while (site.to_strangers("bob", 1, at(0, 12)).level < VolumeLevel::slowed) {
    }
    bool held = false;
    for (int i = 0; i < 500 && !held; ++i) {
        const auto answer = site.to_strangers("bob", 1, at(0, 12));
        held = answer.level == VolumeLevel::held;
        if (held) break;
        REQUIRE(answer.level == VolumeLevel::slowed);
        REQUIRE(answer.until > last);
        REQUIRE(answer.until <= at(1, 12));
        last = answer.until;
    }
    REQUIRE(held);
    REQUIRE(site.watch.refuses(VolumeSender("bob", "a.example", "main")).empty());
    for (std::uint64_t i = 0; i <= Watch::held_most; ++i) site.to_strangers("bob", 1, at(0, 12));
    REQUIRE_FALSE(site.watch.refuses(VolumeSender("bob", "a.example", "main")).empty());
    REQUIRE(site.watch.refuses(VolumeSender("carl", "a.example", "main")).empty());
}

TEST_CASE("an episode is over when nothing waits and the last hour and day are usual, and is told once") {
    Site site;
    site.live("bob", 14);
    for (int i = 0; i < 40; ++i) site.to_strangers("bob", 1, at(0, 2));
    REQUIRE(site.watch.look(at(0, 3.5), at(0, 3.5)).empty());
    REQUIRE(site.send("bob", {1}, at(0, 10)).level == VolumeLevel::slowed);
    const auto over = site.watch.look(at(2, 10), at(2, 10));
    REQUIRE(over.size() == 1);
    REQUIRE(over[0].who == "bob@a.example");
    REQUIRE(over[0].level == VolumeLevel::usual);
    REQUIRE(site.send("bob", {1}, at(2, 10)).level == VolumeLevel::usual);
    REQUIRE(site.watch.usual(VolumeSender("bob", "a.example", ""), at(2, 11), at(2, 11)).volume.hour < 60);
}

TEST_CASE("a newsletter that was let through twice at its hour is usual from then on") {
    Site site;
    site.live("news", 14);
    std::vector<std::uint64_t> readers;
    for (std::uint64_t i = 0; i < 2000; ++i) readers.push_back((5000 + i) * 0x9e3779b97f4a7c15ull);
    const auto issue = [&](int day) {
        bool passed = true;
        for (std::size_t i = 0; i < readers.size(); ++i)
            passed = site.send("news", {readers[i]}, at(day, 9 + static_cast<double>(i) / 4000)).level <
                         VolumeLevel::slowed &&
                     passed;
        return passed;
    };
    for (const int day : {1, 8}) {
        REQUIRE_FALSE(issue(day));
        REQUIRE(site.watch.release("news@a.example", at(day, 10)));
        REQUIRE_FALSE(site.watch.release("news@a.example", at(day, 10)));
        site.watch.look(at(day + 3, 0), at(day + 3, 0));
    }
    REQUIRE(issue(15));
    REQUIRE(issue(22));
    REQUIRE(site.to_strangers("news", 300, at(24, 3)).level >= VolumeLevel::slowed);
}

TEST_CASE("what receivers refuse has a sender held") {
    Site site;
    site.live("bob", 14);
    const Reply unknown{550, {5, 1, 1}, "no such user"};
    for (int i = 0; i < 25; ++i) {
        site.send("bob", {1}, at(0, 10));
        site.watch.answered("bob@a.example", i % 2 ? ReceiverSays::unknown : ReceiverSays::taken, unknown,
                            at(0, 10));
    }
    for (int i = 0; i < 40; ++i) site.send("bob", {1}, at(0, 10));
    REQUIRE(site.send("bob", {1}, at(0, 10)).level == VolumeLevel::held);
}

TEST_CASE(
    "many accounts of a domain that write to strangers at once are slowed down, and the others are not") {
    Site site;
    for (int user = 0; user < 20; ++user) site.live("user" + std::to_string(user), 14);
    bool slowed = false;
    for (int round = 0; round < 15; ++round)
        for (int user = 0; user < 10; ++user)
            slowed = site.to_strangers("user" + std::to_string(user), 1, at(0, 14 + round / 20.0)).level >=
                         VolumeLevel::slowed ||
                     slowed;
    REQUIRE(slowed);
    for (int user = 10; user < 20; ++user)
        for (std::uint64_t i = 1; i <= 10; ++i)
            REQUIRE(site.send("user" + std::to_string(user), {i}, at(0, 15)).level == VolumeLevel::usual);
}

TEST_CASE("a new site is only watched, and monitoring does nothing but tell") {
    for (const auto& settings : {UnusualSettings{UnusualSettings::Mode::enforce, 48h},
                                 UnusualSettings{UnusualSettings::Mode::monitor, 0s}}) {
        Site site(settings);
        for (int i = 0; i < 20; ++i)
            REQUIRE(site.to_strangers("bob", 100, at(0, 2)).level == VolumeLevel::noted);
        REQUIRE_FALSE(site.watch.suspect("bob@a.example"));
        REQUIRE((settings.mode == UnusualSettings::Mode::monitor) ==
                (site.watch.views(at(0, 2))[0].level >= VolumeLevel::slowed));
    }
    Site off({UnusualSettings::Mode::off, 0s});
    REQUIRE(off.to_strangers("bob", 9000, at(0, 2)).level == VolumeLevel::usual);
}

TEST_CASE("one stolen account does not put the others of its domain under suspicion") {
    Site site;
    for (const char* user : {"thief", "seller"}) site.live(user, 14);
    for (int i = 0; i < 200; ++i) site.to_strangers("thief", 1, at(0, 14));
    REQUIRE(site.watch.suspect("thief@a.example"));
    for (int i = 0; i < 25; ++i)
        REQUIRE(site.to_strangers("seller", 1, at(0, 14)).level == VolumeLevel::usual);
}

TEST_CASE("mailboxes without a history are told apart by what their domain is used to") {
    Site site;
    for (int user = 0; user < 20; ++user) site.live("user" + std::to_string(user), 14);
    int left = 0;
    for (int round = 0; round < 30; ++round)
        for (int user = 0; user < 20; ++user)
            if (site.to_strangers("unused" + std::to_string(user), 1, at(0, 14 + round / 40.0)).level <
                VolumeLevel::slowed)
                ++left;
    REQUIRE(left < 20 * 12);
}

TEST_CASE("what was released in the morning may come again in the same amount") {
    Site site;
    site.live("news", 14);
    site.to_strangers("news", 400, at(0, 22));
    REQUIRE(site.watch.suspect("news@a.example"));
    REQUIRE(site.watch.release("news@a.example", at(1, 9)));
    REQUIRE(site.to_strangers("news", 400, at(1, 9.1)).level < VolumeLevel::slowed);
}

TEST_CASE("who is dropped begins anew, and nothing of it is learnt") {
    Site site;
    site.live("bob", 14);
    for (int i = 0; i < 300; ++i) site.to_strangers("bob", 1, at(0, 10));
    REQUIRE(site.watch.drop("bob@a.example"));
    REQUIRE_FALSE(site.watch.drop("bob@a.example"));
    REQUIRE(site.send("bob", {1}, at(0, 11)).level == VolumeLevel::usual);
    REQUIRE(site.watch.usual(VolumeSender("bob", "a.example", ""), at(1, 10), at(1, 10)).volume.hour < 80);
    REQUIRE(site.to_strangers("bob", 100, at(0, 12)).level >= VolumeLevel::slowed);
}

TEST_CASE("what could not be stored takes none of its sender's time") {
    Site site;
    site.live("bob", 14);
    for (int i = 0; i < 60; ++i) site.to_strangers("bob", 1, at(0, 2));
    const VolumeSender sender("bob", "a.example", "main");
    const std::vector<std::uint64_t> to{77, 78};
    const WatchedMail mail{sender, to, 0, ""};
    base::Time first{};
    for (int i = 0; i < 500; ++i) {
        const auto answer = site.watch.judge(mail, at(0, 2), at(0, 2));
        REQUIRE(answer.level == VolumeLevel::slowed);
        if (i == 0) first = answer.until;
        REQUIRE(answer.until == first);
        site.watch.not_accepted(mail, answer);
    }
}

TEST_CASE("what was only monitored counts for nothing when it is enforced, and is learnt") {
    Site site({UnusualSettings::Mode::monitor, 0s});
    site.live("bob", 14);
    site.to_strangers("bob", 525, at(0, 10));
    site.watch.reload({UnusualSettings::Mode::enforce, 0s}, true);
    REQUIRE(site.watch.views(at(0, 10)).empty());
    REQUIRE_FALSE(site.watch.suspect("bob@a.example"));
}

TEST_CASE("held mail that nobody decided about stays shown, while new mail passes again") {
    Site site;
    site.live("bob", 14);
    site.to_strangers("bob", 2000, at(0, 10));
    REQUIRE(site.watch.views(at(0, 10))[0].held == 1);
    REQUIRE(site.watch.look(at(3, 10), at(3, 10)).size() == 1);
    REQUIRE(site.watch.look(at(3, 11), at(3, 11)).empty());
    REQUIRE(site.watch.views(at(3, 11))[0].held == 1);
    REQUIRE(site.send("bob", {1}, at(3, 11)).level < VolumeLevel::slowed);
    REQUIRE(site.watch.release("bob@a.example", at(4, 10)));
}

TEST_CASE("a clock that was ahead keeps nobody from being watched") {
    Site site({UnusualSettings::Mode::enforce, 24h});
    site.send("carl", {1}, at(400, 10));
    site.send("carl", {1}, at(0, 10));
    REQUIRE(site.watch.learning_until(at(0, 10)) == at(1, 10));
}

TEST_CASE("a watch goes on after a restart where it was") {
    Site before, after;
    before.live("bob", 14);
    for (int i = 0; i < 40; ++i) before.to_strangers("bob", 1, at(0, 2));
    before.live("odd name=\n%", 14);
    auto text = before.watch.save_episodes();
    const auto histories = before.watch.save_histories();
    const auto pairs = before.watch.save_acquaintances();
    REQUIRE((text && histories && pairs));
    REQUIRE_FALSE(before.watch.save_episodes());
    REQUIRE_FALSE(before.watch.save_histories());
    *text += *histories;
    after.watch.restore(*text);
    REQUIRE(after.watch.restore_acquaintances(*pairs));
    REQUIRE(after.watch.save_histories() == std::nullopt);
    REQUIRE(after.watch.suspect("bob@a.example"));
    const auto was = before.watch.views(at(0, 3)), is = after.watch.views(at(0, 3));
    REQUIRE(is.size() == was.size());
    REQUIRE(is[0].why == was[0].why);
    REQUIRE(is[0].subjects == was[0].subjects);
    REQUIRE(is[0].slowed == was[0].slowed);
    const VolumeSender bob("bob", "a.example", "");
    before.watch.look(at(0, 2.5), at(0, 2.5));
    REQUIRE(in_words(after.watch.usual(bob, at(5, 10), at(5, 10))) ==
            in_words(before.watch.usual(bob, at(5, 10), at(5, 10))));
    for (std::size_t size = 0; size < text->size(); size += 7)
        Site().watch.restore(text->substr(0, size) + "\nx y z\ne a@b 9 9");
    std::string damaged = *pairs;
    damaged[damaged.size() / 2] ^= 1;
    REQUIRE_FALSE(after.watch.restore_acquaintances(damaged));
    REQUIRE_FALSE(after.watch.restore_acquaintances(pairs->substr(1)));
}

TEST_CASE("invented senders do not drive out those who are known") {
    Site site;
    site.live("bob", 14);
    for (std::size_t i = 0; i < 3 * Watch::most_known; ++i)
        site.send("invented" + std::to_string(i), {i}, at(0, 1),
                  "d" + std::to_string(i % 60'000) + ".example");
    REQUIRE(site.watch.usual(VolumeSender("bob", "a.example", ""), at(0, 1), at(0, 1)).days == 14);
}

TEST_CASE("acquaintances are known until nobody uses them") {
    Acquaintances known;
    REQUIRE_FALSE(known.meet(Acquaintances::pair("a", 1)));
    REQUIRE(known.meet(Acquaintances::pair("a", 1)));
    REQUIRE_FALSE(known.know(Acquaintances::pair("b", 1)));
    std::size_t mistaken = 0;
    for (std::uint64_t i = 0; i < Acquaintances::most * 5 / 2; ++i) {
        if (known.meet(Acquaintances::pair("c", i))) ++mistaken;
        if (i % 100'000 == 0) REQUIRE(known.meet(Acquaintances::pair("a", 1)));
    }
    REQUIRE(mistaken < Acquaintances::most / 20);
    REQUIRE(known.know(Acquaintances::pair("a", 1)));
    REQUIRE_FALSE(known.know(Acquaintances::pair("c", 1)));
}
