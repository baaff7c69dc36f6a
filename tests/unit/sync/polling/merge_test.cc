#include "sync/polling/merge.h"

#include <catch2/catch.hpp>

#include "tests/unit/sync/fixture.h"

using namespace postern::sync;
using namespace postern::tests;

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
