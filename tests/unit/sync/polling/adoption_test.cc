#include "sync/polling/adoption.h"

#include <catch2/catch.hpp>

#include "sync/limits.h"
#include "sync/polling/pace.h"
#include "tests/unit/sync/fixture.h"

using namespace postern::sync;
using namespace postern::tests;
using namespace std::chrono_literals;

namespace {

const Time now = at(1'000'000);

PrimaryRecord handed() {
    PrimaryRecord record{"main", {}, now, {}};
    DomainRecord& domain = record.domains["example.com"] = read_domain("Example.com", now);
    domain.users.content = address_list(Kind::user, {"alice"});
    domain.domain_aliases.content = {"example.org"};
    return record;
}

}  // namespace

TEST_CASE("nothing speaks against what was read a moment ago", "[adoption]") {
    CHECK(objection_to(handed(), true, now).empty());
    CHECK(objection_to(handed(), true, now + 1000h).empty());
    PrimaryRecord asked = handed();
    asked.lists = false;
    CHECK(objection_to(asked, false, now).empty());
}

TEST_CASE("a primary of another kind is another primary", "[adoption]") {
    CHECK(objection_to(handed(), false, now) ==
          "the primary is of another kind there: it lists its addresses");
    PrimaryRecord asked = handed();
    asked.lists = false;
    CHECK(objection_to(asked, true, now) ==
          "the primary is of another kind there: it is asked about each address by itself");
}

TEST_CASE("what was never read is not taken for a reading", "[adoption]") {
    PrimaryRecord never = handed();
    never.listed = {};
    CHECK(objection_to(never, true, now) == "it was never read");
}

TEST_CASE("any time in the future is one too many, but for what clocks may differ", "[adoption]") {
    const std::vector<std::function<Time&(PrimaryRecord&)>> times{
        [](PrimaryRecord& record) -> Time& { return record.listed; },
        [](PrimaryRecord& record) -> Time& { return record.domains["example.com"].listed; },
        [](PrimaryRecord& record) -> Time& { return record.domains["example.com"].options.read; },
        [](PrimaryRecord& record) -> Time& { return record.domains["example.com"].users.read; },
        [](PrimaryRecord& record) -> Time& { return record.domains["example.com"].aliases.read; },
        [](PrimaryRecord& record) -> Time& { return record.domains["example.com"].lists.read; },
        [](PrimaryRecord& record) -> Time& { return record.domains["example.com"].resources.read; },
        [](PrimaryRecord& record) -> Time& { return record.domains["example.com"].domain_aliases.read; },
        [](PrimaryRecord& record) -> Time& { return record.domains["example.com"].error_at; }};
    for (std::size_t i = 0; i < times.size(); ++i) {
        CAPTURE(i);
        PrimaryRecord ahead = handed();
        times[i](ahead) = now + 5min;
        CHECK(objection_to(ahead, true, now).empty());
        times[i](ahead) = now + 5min + 1s;
        CHECK(objection_to(ahead, true, now) ==
              "it was read in the future, at 1970-01-12T13:51:41.000Z: the clocks differ");
    }
}

TEST_CASE("names are such as a list of domains gives them", "[adoption]") {
    const std::string words = "it has a domain whose name can be none";
    for (const char* name : {"", "Example.com", "no name", "example.com\r\n", "a..b"}) {
        CAPTURE(name);
        PrimaryRecord record = handed();
        record.domains[name] = read_domain("example.com", now);
        CHECK(objection_to(record, true, now) == words);
        record = handed();
        record.domains["example.com"].domain_aliases.content = {"fine.example", name};
        CHECK(objection_to(record, true, now) == words);
    }
    for (const char* spelling : {"", "example.org", "example.com\r\nRCPT TO:<a@b>"}) {
        CAPTURE(spelling);
        PrimaryRecord record = handed();
        record.domains["example.com"].spelling = spelling;
        CHECK(objection_to(record, true, now) == words);
    }
}

TEST_CASE("no more is taken over than is kept of a primary", "[adoption]") {
    PrimaryRecord record = handed();
    while (record.domains.size() < limits::domains) {
        const std::string name = "d" + std::to_string(record.domains.size()) + ".example";
        record.domains[name] = read_domain(name, now);
    }
    CHECK(objection_to(record, true, now).empty());
    record.domains["one-more.example"] = read_domain("one-more.example", now);
    CHECK(objection_to(record, true, now) == "it has more domains than are kept of a primary");

    record = handed();
    AddressList& users = record.domains["example.com"].users.content;
    const std::string tail(200, 'x');
    while (octets(record.domains["example.com"]) <= limits::octets)
        users.add(Kind::user, std::to_string(users.size()) + tail);
    CHECK(objection_to(record, true, now) == "it has more names than are kept of a primary");
}

TEST_CASE("as many gateways as poll share the pace", "[pace]") {
    PrimarySettings settings;
    settings.poll_every = 300s;
    settings.trust_for = 72h;
    settings.gap = 250ms;
    const auto pace = [&](Turn::Whose whose, unsigned gateways) {
        const Pace is = pace_of(settings, {whose, gateways, ""});
        return std::pair(is.poll_every, is.gap);
    };
    CHECK(pace(Turn::Whose::ours, 3) == std::pair(300s, 250ms));
    CHECK(pace(Turn::Whose::anothers, 3) == std::pair(300s, 250ms));
    CHECK(pace(Turn::Whose::unknown, 0) == std::pair(300s, 250ms));
    CHECK(pace(Turn::Whose::unknown, 1) == std::pair(300s, 250ms));
    CHECK(pace(Turn::Whose::unknown, 3) == std::pair(900s, 750ms));
    CHECK(pace(Turn::Whose::unknown, 1'000'000) == std::pair(64 * 300s, 64 * 250ms));
    settings.trust_for = 2h;
    CHECK(pace(Turn::Whose::unknown, 3) == std::pair(900s, 750ms));
    CHECK(pace(Turn::Whose::unknown, 10) == std::pair(1800s, 2500ms));  // a quarter of two hours
    settings.trust_for = 10min;
    CHECK(pace(Turn::Whose::unknown, 10) == std::pair(300s, 2500ms));  // not oftener than alone
}
