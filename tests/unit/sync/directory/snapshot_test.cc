#include "sync/directory/snapshot.h"

#include <algorithm>
#include <catch2/catch.hpp>
#include <numeric>
#include <random>

#include "sync/directory/directory.h"
#include "sync/directory/view.h"
#include "tests/unit/sync/fixture.h"

using namespace postern::sync;
using namespace postern::tests;
using namespace std::chrono_literals;

namespace {

const Time read_at = at(1'000'000);
const Time fresh = read_at + 60s;
const Time old = read_at + 73h;

Directory one_of_everything() {
    PrimaryRecord primary{"main", 72h, read_at, {}};
    DomainRecord& com = primary.domains["example.com"] = read_domain("example.com", read_at);
    com.users.content = address_list(Kind::user, {"alice", "bob+real"});
    com.users.content.add(Kind::user_disabled, "carol");
    com.users.content.add(Kind::user_receiving, "dave");
    com.users.content.add(Kind::user_unread, "erin");
    com.aliases.content = address_list(Kind::alias, {"sales"});
    com.lists.content = address_list(Kind::mailing_list, {"news"});
    com.resources.content = address_list(Kind::resource, {"room1"});
    com.options.content.list_command = "listserv";
    com.domain_aliases.content = {"example.org"};
    DomainRecord& all = primary.domains["all.example"] = read_domain("all.example", read_at);
    all.users.content.add(Kind::user_disabled, "gone");
    all.options.content.catch_all = "anybody";
    primary.domains["off.example"] = read_domain("off.example", read_at);
    primary.domains["off.example"].enabled = false;
    DomainRecord& unread = primary.domains["unread.example"] = read_domain("unread.example", read_at);
    unread.aliases = {};
    unread.users.content = address_list(Kind::user, {"known"});
    return {primary};
}

std::string said(const Verdict& verdict) {
    const char* standing[] = {"good", "bad", "unknown"};
    return std::string(standing[static_cast<int>(verdict.standing)]) + ": " +
           std::string(describe(verdict.reason));
}

}  // namespace

TEST_CASE("every class of address gets its verdict", "[snapshot]") {
    const Snapshot snapshot(one_of_everything());
    struct Row {
        const char *local, *domain, *in_time, *later;
    };
    const Row rows[] = {
        {"alice", "example.com", "good: user", "good: user"},
        {"ALICE", "Example.COM", "good: user", "good: user"},
        {"alice+folder", "example.com", "good: user", "good: user"},
        {"alice+a+b", "example.com", "good: user", "good: user"},
        {"bob+real", "example.com", "good: user", "good: user"},
        {"bob", "example.com", "bad: no such user", "unknown: directory too old to tell"},
        {"+alice", "example.com", "bad: no such user", "unknown: directory too old to tell"},
        {"carol", "example.com", "bad: user is disabled", "unknown: directory too old to tell"},
        {"carol+x", "example.com", "bad: user is disabled", "unknown: directory too old to tell"},
        {"dave", "example.com", "good: user", "good: user"},
        {"erin", "example.com", "good: user", "good: user"},
        {"sales", "example.com", "good: alias", "good: alias"},
        {"news", "example.com", "good: mailing list", "good: mailing list"},
        {"listserv", "example.com", "good: list command address", "good: list command address"},
        {"room1", "example.com", "good: user", "good: user"},
        {"Postmaster", "example.com", "good: role address of a known domain",
         "good: role address of a known domain"},
        {"abuse", "example.org", "good: role address of a known domain",
         "good: role address of a known domain"},
        {"nobody", "example.com", "bad: no such user", "unknown: directory too old to tell"},
        {"", "example.com", "bad: no such user", "unknown: directory too old to tell"},
        {"alice", "example.org", "good: user", "good: user"},
        {"nobody", "example.org", "bad: no such user", "unknown: directory too old to tell"},
        {"whoever", "all.example", "good: the domain takes every address",
         "good: the domain takes every address"},
        {"gone", "all.example", "bad: user is disabled", "unknown: directory too old to tell"},
        {"alice", "off.example", "bad: domain is disabled", "unknown: directory too old to tell"},
        {"postmaster", "off.example", "bad: domain is disabled", "unknown: directory too old to tell"},
        {"known", "unread.example", "good: user", "good: user"},
        {"nobody", "unread.example", "unknown: domain's users not yet known",
         "unknown: domain's users not yet known"},
        {"abuse", "unread.example", "good: role address of a known domain",
         "good: role address of a known domain"},
        {"alice", "else.example", "bad: no such domain", "unknown: directory too old to tell"},
        {"postmaster", "else.example", "bad: no such domain", "unknown: directory too old to tell"},
        {"alice", "", "bad: no such domain", "unknown: directory too old to tell"},
    };
    for (const Row& row : rows) {
        CAPTURE(row.local, row.domain);
        CHECK(said(snapshot.address(row.local, row.domain, fresh)) == row.in_time);
        CHECK(said(snapshot.address(row.local, row.domain, old)) == row.later);
    }
}

TEST_CASE("a verdict about a domain alone", "[snapshot]") {
    const Snapshot snapshot(one_of_everything());
    CHECK(said(snapshot.domain("EXAMPLE.org", fresh)) == "good: known domain");
    CHECK(said(snapshot.domain("example.com", old)) == "good: known domain");
    CHECK(said(snapshot.domain("off.example", fresh)) == "bad: domain is disabled");
    CHECK(said(snapshot.domain("else.example", fresh)) == "bad: no such domain");
    CHECK(snapshot.domain("example.com", fresh).primary == "main");
    CHECK(snapshot.domain("example.com", fresh).age == 60s);
    CHECK(snapshot.domain("else.example", fresh).primary.empty());
    CHECK(snapshot.domain("else.example", fresh).age == 60s);
    CHECK(snapshot.domain("example.com", read_at - 1h).age == 0s);
}

TEST_CASE("nothing learned yet proves nothing", "[snapshot]") {
    CHECK(said(Snapshot().address("a", "example.com", fresh)) == "unknown: directory not yet known");
    CHECK(said(Snapshot().domain("example.com", fresh)) == "unknown: directory not yet known");

    Directory two = one_of_everything();
    two.push_back({"second", 72h, {}, {}});
    CHECK(said(Snapshot(two).address("a", "else.example", fresh)) == "unknown: directory not yet known");
    CHECK(said(Snapshot(two).address("alice", "example.com", fresh)) == "good: user");
    two[1].listed = read_at - 100h;
    CHECK(said(Snapshot(two).address("a", "else.example", fresh)) == "unknown: directory too old to tell");
    CHECK(Snapshot(two).address("a", "else.example", fresh).age == 100h + 60s);

    Directory aliases_missing = one_of_everything();
    aliases_missing[0].domains["example.com"].domain_aliases = {};
    CHECK(said(Snapshot(aliases_missing).domain("example.org", fresh)) == "unknown: directory not yet known");
    aliases_missing[0].domains["example.com"].enabled = false;
    CHECK(said(Snapshot(aliases_missing).domain("example.org", fresh)) == "bad: no such domain");
}

TEST_CASE("a domain that two primaries have", "[snapshot]") {
    Directory two{{"a", 1h, read_at, {}}, {"b", 1h, read_at, {}}};
    two[0].domains["example.com"] = read_domain("example.com", read_at);
    two[1].domains["example.com"] = read_domain("example.com", read_at);
    two[1].domains["example.com"].users.content = address_list(Kind::user, {"alice"});
    CHECK(Snapshot(two).domain("example.com", fresh).primary == "a");
    two[0].domains["example.com"].enabled = false;
    CHECK(Snapshot(two).domain("example.com", fresh).primary == "b");
    CHECK(said(Snapshot(two).address("alice", "example.com", fresh)) == "good: user");
}

TEST_CASE("what an address is", "[snapshot]") {
    const Snapshot snapshot(one_of_everything());
    CHECK(view(snapshot, "Sales", "example.org", fresh).what == "alias sales in example.com");
    CHECK(view(snapshot, "alice+x", "example.com", fresh).what == "user alice in example.com");
    CHECK(view(snapshot, "nobody", "example.com", fresh).what.empty());
    CHECK(view(snapshot, "a", "else.example", fresh).what.empty());
}

TEST_CASE("only ASCII letters have two cases", "[snapshot]") {
    for (const std::string& before :
         {std::string(), std::string("a"), std::string("sevenxx"), std::string("twelve.xxxxx")}) {
        for (int value = 0x20; value < 0x100; ++value) {
            if (value == 0x7f || value == '+') continue;
            const std::string name = before + static_cast<char>(value),
                              twin = before + static_cast<char>(value ^ 0x20);
            PrimaryRecord primary{"main", 72h, read_at, {}};
            primary.domains["example.com"] = read_domain("example.com", read_at);
            REQUIRE(primary.domains["example.com"].users.content.add(Kind::user, name));
            const Snapshot snapshot({primary});
            CAPTURE(before, value);
            REQUIRE(snapshot.address(name, "example.com", fresh).reason == Reason::user);
            const bool letter = (value >= 'A' && value <= 'Z') || (value >= 'a' && value <= 'z');
            REQUIRE((snapshot.address(twin, "example.com", fresh).reason == Reason::user) == letter);
        }
    }
}

TEST_CASE("a snapshot agrees with a map of the same random addresses", "[snapshot]") {
    const unsigned seed = std::random_device{}();
    CAPTURE(seed);
    std::minstd_rand random(seed);
    const auto word = [&] {
        std::string text;
        for (auto length = 1 + random() % 4; length > 0; --length)
            text += static_cast<char>('a' + random() % 4);
        return text;
    };
    PrimaryRecord primary{"main", 72h, read_at, {}};
    std::map<std::string, std::map<std::string, bool>> model;
    for (int i = 0; i < 2000; ++i) {
        const std::string domain = word() + ".example", local = word();
        if (!primary.domains.contains(domain)) primary.domains[domain] = read_domain(domain, read_at);
        primary.domains[domain].users.content.add(Kind::user, local);
        model[domain][local] = true;
    }
    const Snapshot snapshot({primary});
    for (int i = 0; i < 20000; ++i) {
        const std::string domain = word() + ".example", local = word();
        const auto found = model.find(domain);
        const Reason expected = found == model.end()            ? Reason::no_such_domain
                                : found->second.contains(local) ? Reason::user
                                                                : Reason::no_such_user;
        CAPTURE(local, domain);
        REQUIRE(snapshot.address(local, domain, fresh).reason == expected);
    }
}

TEST_CASE("a million addresses stay small", "[snapshot]") {
    PrimaryRecord primary{"main", 72h, read_at, {}};
    for (int i = 0; i < 1000; ++i) {
        const std::string domain = "customer" + std::to_string(i) + ".example";
        DomainRecord& record = primary.domains[domain] = read_domain(domain, read_at);
        for (int j = 0; j < 1000; ++j)
            record.users.content.add(Kind::user, "first.last" + std::to_string(i * 1000 + j));
    }
    const Directory directory{std::move(primary)};
    const Snapshot snapshot(directory);
    CHECK(snapshot.addresses() == 1'000'000);
    CHECK(snapshot.memory() < 64u << 20);
    CHECK(snapshot.address("first.last999999", "customer999.example", fresh).reason == Reason::user);
    CHECK(snapshot.address("first.last999999", "customer998.example", fresh).reason == Reason::no_such_user);
}

// Hidden, because it is a measurement and no test: run it by name.
TEST_CASE("the time of a look-up", "[.measure]") {
    constexpr int count = 1'000'000;
    const auto local = [](int i) { return "first.last" + std::to_string(i); };
    const auto domain = [](int i) { return "customer" + std::to_string(i % 1000) + ".example"; };
    PrimaryRecord primary{"main", 72h, read_at, {}};
    for (int i = 0; i < 1000; ++i) primary.domains[domain(i)] = read_domain(domain(i), read_at);
    for (int i = 0; i < count; ++i) primary.domains[domain(i)].users.content.add(Kind::user, local(i));
    const Directory directory{std::move(primary)};
    std::vector<int> order(count);
    std::iota(order.begin(), order.end(), 0);
    std::shuffle(order.begin(), order.end(), std::minstd_rand(1));
    std::vector<std::pair<std::string, std::string>>
        addresses;  // one after the other in memory, as hot as a command
    for (const int i : order) addresses.emplace_back(local(i), domain(i));
    using Clock = std::chrono::steady_clock;
    const auto start = Clock::now();
    const Snapshot snapshot(directory);
    const auto built = Clock::now();
    std::size_t good = 0;
    for (const auto& [name, where] : addresses)
        good += snapshot.address(name, where, fresh).standing == Standing::good ? 1 : 0;
    const auto looked = Clock::now();
    REQUIRE(good == addresses.size());
    using Milliseconds = std::chrono::duration<double, std::milli>;
    WARN("built in " << Milliseconds(built - start).count() << " ms, " << snapshot.memory() / 1024 << " KiB, "
                     << Milliseconds(looked - built).count() * 1e6 / static_cast<double>(addresses.size())
                     << " ns a look-up");
}
