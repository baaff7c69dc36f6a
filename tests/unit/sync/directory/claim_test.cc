#include "sync/directory/claim.h"

#include <catch2/catch.hpp>

#include "tests/unit/sync/fixture.h"

using namespace postern::sync;
using namespace postern::tests;

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
