#include "sync/directory/directory.h"

#include <catch2/catch.hpp>

#include "sync/directory/view.h"
#include "tests/unit/sync/fixture.h"

using namespace postern::sync;
using namespace postern::tests;
using namespace std::chrono_literals;

TEST_CASE("domain names in canonical form", "[directory]") {
    CHECK(canonical_domain("Example.COM.") == "example.com");
    CHECK(canonical_domain("b\xc3\xbc"
                           "cher.example") == "xn--bcher-kva.example");
    CHECK(canonical_domain("XN--BCHER-KVA.example") == "xn--bcher-kva.example");
    CHECK(canonical_domain("_x.example") == "_x.example");
    const std::string label(64, 'a');
    for (const std::string& bad : {std::string(), std::string("."), std::string("a..b"), std::string(".a"),
                                   std::string("a b"), std::string("a/b"), std::string("a\r\nX: y"), label,
                                   std::string("\xff\xfe.example"), std::string(254, 'a')}) {
        CAPTURE(bad);
        CHECK_FALSE(canonical_domain(bad).has_value());
    }
}

TEST_CASE("a list of addresses keeps what fits", "[directory]") {
    AddressList list;
    CHECK(list.add(Kind::user, "Alice"));
    CHECK(list.add(Kind::alias, std::string(255, 'x')));
    CHECK_FALSE(list.add(Kind::user, ""));
    CHECK_FALSE(list.add(Kind::user, std::string(256, 'x')));
    CHECK_FALSE(list.add(Kind::user, "a\nb"));
    CHECK(list.size() == 2);
    CHECK(names(list, Kind::user) == std::vector<std::string>{"alice"});

    const auto again = AddressList::unpack(list.packed());
    REQUIRE(again);
    CHECK(*again == list);
    for (std::size_t size = 1; size < list.packed().size(); ++size) {
        const bool boundary = size == 7;  // after the first entry
        CHECK(AddressList::unpack(list.packed().substr(0, size)).has_value() == boundary);
    }
    CHECK_FALSE(
        AddressList::unpack("\x63\x01"
                            "a"));
}

TEST_CASE("a domain is complete when its oldest part is", "[directory]") {
    DomainRecord record = read_domain("example.com", at(100));
    CHECK(record.complete() == at(100));
    record.lists.read = at(50);
    CHECK(record.complete() == at(50));
    record.users.read = {};
    CHECK(record.complete() == Time{});
    record = read_domain("example.com", at(100));
    record.resources.read = {};
    CHECK(record.complete() == at(100));
}

TEST_CASE("the view of a domain", "[directory]") {
    PrimaryRecord primary{"main", 1h, at(100), {}};
    DomainRecord& record = primary.domains["example.com"] = read_domain("example.com", at(100));
    record.users.content = address_list(Kind::user, {"a", "b"});
    record.aliases.content = address_list(Kind::alias, {"c"});
    record.options.content.catch_all = "c";
    record.domain_aliases.content = {"example.org"};
    record.error = "users: \"no\"";
    const std::vector<DomainView> views = view(Directory{primary});
    REQUIRE(views.size() == 1);
    CHECK(views[0].name == "example.com");
    CHECK(views[0].primary == "main");
    CHECK(views[0].enabled);
    CHECK(views[0].users == 2);
    CHECK(views[0].aliases == 1);
    CHECK(views[0].lists == 0);
    CHECK(views[0].catch_all == "c");
    CHECK(views[0].domain_aliases == std::vector<std::string>{"example.org"});
    CHECK(views[0].read == at(100));
    CHECK(views[0].error == "users: \"no\"");
}
