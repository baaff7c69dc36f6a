#include "sync/directory/suspicion.h"

#include <catch2/catch.hpp>

#include "sync/directory/claim.h"
#include "sync/polling/merge.h"
#include "tests/unit/sync/fixture.h"

using namespace postern::sync;
using namespace postern::tests;

TEST_CASE("what is a sudden loss", "[suspicion]") {
    struct Row {
        std::size_t before, after, gone;
        bool sudden;
    };
    const auto row = GENERATE(values<Row>({{0, 0, 0, false},
                                           {1, 0, 1, true},
                                           {1, 1, 1, true},
                                           {8, 8, 8, true},
                                           {8, 0, 8, true},
                                           {8, 1, 7, false},
                                           {50, 40, 10, false},
                                           {50, 39, 11, true},
                                           {55, 44, 11, false},
                                           {54, 43, 11, true},
                                           {100, 80, 20, false},
                                           {100, 79, 21, true},
                                           {100, 100, 21, true},
                                           {1000, 989, 11, false},
                                           {1000, 2000, 201, true}}));
    CAPTURE(row.before, row.after, row.gone);
    CHECK(sudden_loss({row.before, row.after, row.gone}) == row.sudden);
}

TEST_CASE("a loss is believed the third time", "[suspicion]") {
    std::optional<Suspicion> suspicion;
    const Change loss{100, 50, 50};
    CHECK_FALSE(believe(suspicion, loss, at(1)));
    REQUIRE(suspicion);
    CHECK(suspicion->since == at(1));
    CHECK(suspicion->before == 100);
    CHECK(suspicion->now == 50);
    CHECK_FALSE(believe(suspicion, loss, at(2)));
    CHECK(suspicion->since == at(1));

    SECTION("as it was") {
        CHECK(believe(suspicion, loss, at(3)));
        CHECK_FALSE(suspicion);
    }
    SECTION("slightly smaller still") { CHECK(believe(suspicion, {100, 48, 52}, at(3))); }
    SECTION("not when it has grown") {
        CHECK_FALSE(believe(suspicion, {100, 0, 100}, at(3)));
        CHECK(suspicion->since == at(3));
        CHECK_FALSE(believe(suspicion, {100, 0, 100}, at(4)));
        CHECK(believe(suspicion, {100, 0, 100}, at(5)));
    }
    SECTION("not when all was there again in between") {
        CHECK(believe(suspicion, {100, 100, 0}, at(3)));
        CHECK_FALSE(suspicion);
        CHECK_FALSE(believe(suspicion, loss, at(4)));
    }
}

TEST_CASE("however often it comes, a loss is held back for its time", "[suspicion]") {
    std::optional<Suspicion> suspicion;
    const Change loss{20, 0, 20};
    for (int second = 0; second < 3600; second += 60) {
        CAPTURE(second);
        // The wall clock is set forward meanwhile: that is no time that has passed.
        CHECK_FALSE(believe(suspicion, loss, at(second * 1000), {at(second), std::chrono::hours(1)}));
    }
    CHECK(believe(suspicion, loss, at(0), {at(3600), std::chrono::hours(1)}));
}

TEST_CASE("time alone is not enough to believe a loss", "[suspicion]") {
    std::optional<Suspicion> suspicion;
    const Change loss{20, 0, 20};
    CHECK_FALSE(believe(suspicion, loss, at(0), {at(0), std::chrono::hours(1)}));
    CHECK_FALSE(believe(suspicion, loss, at(1), {at(7200), std::chrono::hours(1)}));
    CHECK(believe(suspicion, loss, at(2), {at(7201), std::chrono::hours(1)}));
}

TEST_CASE("a confirmed loss is believed when it comes again", "[suspicion]") {
    std::optional<Suspicion> suspicion;
    CHECK_FALSE(believe(suspicion, {5, 0, 5}, at(1)));
    suspicion->confirmed = true;
    SECTION("as it was confirmed") { CHECK(believe(suspicion, {5, 0, 5}, at(2))); }
    SECTION("but not a greater one") {
        suspicion = Suspicion{at(1), 100, 50, 1, true};
        CHECK_FALSE(believe(suspicion, {100, 20, 80}, at(2)));
        CHECK_FALSE(suspicion->confirmed);
    }
}

TEST_CASE("domains that vanish at once stay, and new ones are taken", "[suspicion][merge]") {
    PrimaryRecord record{"main"};
    record.domains["a.example"] = read_domain("a.example", at(1));
    record.domains["b.example"] = read_domain("b.example", at(1));
    std::vector<Loss> losses;
    CHECK(merge(record, {}, at(2), losses).empty());
    CHECK(record.domains.size() == 2);
    REQUIRE(losses.size() == 1);
    CHECK(losses[0].what == "domains");
    CHECK_FALSE(losses[0].taken);
    REQUIRE(record.suspicion);
    CHECK(record.suspicion->before == 2);

    CHECK(confirm(record));
    losses.clear();
    merge(record, {}, at(3), losses);
    CHECK(record.domains.empty());
    REQUIRE(losses.size() == 1);
    CHECK(losses[0].taken);
    CHECK_FALSE(confirm(record));
}

TEST_CASE("domains that are disabled at once stay as they were until it is believed", "[suspicion][merge]") {
    PrimaryRecord record{"main"};
    for (const char* name : {"a.example", "b.example"}) record.domains[name] = read_domain(name, at(1));
    const std::vector<ListedDomain> all{listed_domain("a.example", false), listed_domain("b.example", false),
                                        listed_domain("new.example", false)};
    std::vector<Loss> losses;
    const auto enabled = [&](const char* name) { return record.domains.at(name).enabled; };

    SECTION("one of them is taken at once") {
        merge(record, {listed_domain("a.example", false), listed_domain("b.example", true)}, at(2), losses);
        CHECK(losses.empty());
        CHECK_FALSE(enabled("a.example"));
        CHECK(enabled("b.example"));
    }
    SECTION("all of them are doubted") {
        merge(record, all, at(2), losses);
        REQUIRE(losses.size() == 1);
        CHECK(losses[0].what == "domains");
        CHECK(losses[0].suspicion.now == 0);
        CHECK(enabled("a.example"));
        CHECK(enabled("b.example"));
        CHECK_FALSE(enabled("new.example"));

        SECTION("and believed the third time") {
            merge(record, all, at(3), losses);
            CHECK(enabled("a.example"));
            merge(record, all, at(4), losses);
            CHECK_FALSE(enabled("a.example"));
            CHECK_FALSE(enabled("b.example"));
        }
        SECTION("what comes back is taken at once") {
            merge(record, {listed_domain("a.example"), listed_domain("b.example", true)}, at(3), losses);
            CHECK_FALSE(record.suspicion);
            CHECK(enabled("a.example"));
        }
    }
    SECTION("however often it is named") {
        auto twice = all;
        twice.insert(twice.end(), all.begin(), all.end());
        merge(record, twice, at(2), losses);
        CHECK(enabled("a.example"));
    }
}

TEST_CASE("other domains in place of all that were there are doubted", "[suspicion][merge]") {
    PrimaryRecord record{"main"};
    record.domains["a.example"] = read_domain("a.example", at(1));
    std::vector<Loss> losses;
    merge(record, {listed_domain("default.example", true)}, at(2), losses);
    CHECK(losses.size() == 1);
    CHECK(record.domains.contains("a.example"));
    CHECK(record.domains.contains("default.example"));
}

TEST_CASE("users that are disabled at once stay good until it is believed", "[suspicion][merge]") {
    DomainRecord record = read_domain("a.example", at(1));
    record.users.content = address_list(Kind::user, {"ann", "bob"});
    DomainReading reading;
    reading.options = DomainOptions{};
    reading.users = address_list(Kind::user_disabled, {"ann", "bob"});
    Applied applied = apply(record, reading, at(2));
    REQUIRE(applied.losses.size() == 1);
    CHECK(applied.losses[0].what == "users");
    record.users.content.each([](Kind kind, std::string_view) { CHECK(kind == Kind::user); });

    reading.users = address_list(Kind::user_disabled, {"ann"});
    reading.users->add(Kind::user, "bob");
    CHECK(apply(record, reading, at(3)).losses.empty());
    CHECK_FALSE(record.users.suspicion);
    std::size_t disabled = 0;
    record.users.content.each([&](Kind kind, std::string_view) { disabled += kind == Kind::user_disabled; });
    CHECK(disabled == 1);
}

TEST_CASE("that a catch-all is gone is doubted: every address it took is gone with it",
          "[suspicion][merge]") {
    DomainRecord record = read_domain("a.example", at(1));
    record.options.content.catch_all = "ann";
    DomainReading reading;
    reading.options = DomainOptions{};
    Applied applied = apply(record, reading, at(2));
    REQUIRE(applied.losses.size() == 1);
    CHECK(applied.losses[0].what == "catch-all");
    CHECK(record.options.content.catch_all == "ann");
    CHECK(suspected(record));
    reading.options = DomainOptions{{}, "bob", {}};  // another one is no loss
    CHECK(apply(record, reading, at(3)).losses.empty());
    CHECK(record.options.content.catch_all == "bob");
    for (int second = 4; second < 7; ++second) {
        reading.options = DomainOptions{};
        apply(record, reading, at(second));
    }
    CHECK(record.options.content.catch_all.empty());
}

TEST_CASE("one of the parts vanishing keeps only that one", "[suspicion][merge]") {
    DomainRecord record = read_domain("a.example", at(1));
    record.users.content = address_list(Kind::user, {"ann", "bob"});
    record.aliases.content = address_list(Kind::alias, {"sales"});
    const auto answer = [] {
        DomainReading reading;
        reading.options = DomainOptions{};
        reading.users = reading.lists = reading.resources = AddressList{};
        reading.aliases = address_list(Kind::alias, {"sales", "info"});
        reading.domain_aliases = std::vector<std::string>{};
        return reading;
    };
    DomainReading reading = answer();
    Applied applied = apply(record, reading, at(2));
    CHECK(applied.any);
    CHECK(applied.errors.empty());
    REQUIRE(applied.losses.size() == 1);
    CHECK(applied.losses[0].what == "users");
    CHECK(record.users.content.size() == 2);
    CHECK(record.users.read == at(1));
    CHECK(record.aliases.content.size() == 2);
    CHECK(record.complete() == at(1));

    reading = answer();
    CHECK(apply(record, reading, at(3)).losses.empty());
    reading = answer();
    applied = apply(record, reading, at(4));
    REQUIRE(applied.losses.size() == 1);
    CHECK(applied.losses[0].taken);
    CHECK(record.users.content.empty());
    CHECK(record.complete() == at(4));
}

TEST_CASE("domains claimed by two primaries", "[claim]") {
    Directory directory{{"one"}, {"two"}, {"three"}};
    CHECK(claims(directory).empty());
    directory[0].domains["a.example"] = read_domain("a.example", at(1));
    directory[1].domains["a.example"] = read_domain("a.example", at(1));
    directory[1].domains["b.example"] = read_domain("b.example", at(1));
    CHECK(claims(directory) == std::vector<Claim>{{"a.example", "one", "two"}});

    directory[0].domains["a.example"].enabled = false;  // then the enabled one counts
    CHECK(claims(directory) == std::vector<Claim>{{"a.example", "two", "one"}});

    directory[0].domains.clear();
    directory[0].domains["c.example"] = read_domain("c.example", at(1));
    directory[0].domains["c.example"].domain_aliases.content = {"b.example", "d.example"};
    directory[2].domains["e.example"] = read_domain("e.example", at(1));
    directory[2].domains["e.example"].domain_aliases.content = {"d.example"};
    CHECK(claims(directory) ==
          std::vector<Claim>{{"b.example", "two", "one"}, {"d.example", "one", "three"}});

    directory[0].own = {"b.example"};  // an alias there, and yet its own
    directory[2].own = {"d.example"};
    CHECK(claims(directory) ==
          std::vector<Claim>{{"b.example", "one", "two"}, {"d.example", "three", "one"}});
    const Snapshot snapshot(directory);
    CHECK(snapshot.domain("b.example", at(2)).primary == "one");
    CHECK(snapshot.domain("d.example", at(2)).primary == "three");
    directory[1].own = {"c.example", "e.example"};  // that it does not list
    CHECK(Snapshot(directory).domain("c.example", at(2)).primary.empty());
    CHECK(Snapshot(directory).domain("b.example", at(2)).primary.empty());
}
