#include "relay/mail/route_key.h"

#include <catch2/catch.hpp>
#include <vector>

using namespace postern::relay;

TEST_CASE("a route's name is read as it was written") {
    using Kind = RouteKey::Kind;
    struct Row {
        const char* text;
        Kind kind;
        const char* name;
    };
    for (const auto& row :
         {Row{"mx:example.net", Kind::exchangers, "example.net"},
          Row{"mx:[192.0.2.1]", Kind::exchangers, "[192.0.2.1]"},
          Row{"gateway:archive", Kind::gateway, "archive"}, Row{"gateway:mx:odd", Kind::gateway, "mx:odd"},
          Row{"gateways", Kind::gateways, ""}, Row{"held", Kind::held, ""},
          Row{"primary:main", Kind::primary, "main"}}) {
        CAPTURE(row.text);
        const RouteKey key = RouteKey::of(row.text);
        CHECK(key.kind == row.kind);
        CHECK(key.name == row.name);
        CHECK(key.text() == row.text);
        CHECK_FALSE(key.empty());
    }
}

TEST_CASE("what is no route's name leads nowhere, and is given back as it was") {
    for (const char* text : {"", "mx", "MX:example.net", "gatewaysx", "gateways:", "held:", "example.net"}) {
        CAPTURE(text);
        const RouteKey key = RouteKey::of(text);
        CHECK(key.kind == RouteKey::Kind::none);
        CHECK(key.text() == text);
        CHECK(key.empty() == (*text == '\0'));
    }
}

TEST_CASE("routes are in the order of their texts") {
    const std::vector<RouteKey> sorted{{},
                                       RouteKey::gateway("a"),
                                       RouteKey::gateway("b"),
                                       RouteKey::gateways(),
                                       RouteKey::held(),
                                       RouteKey::exchangers("a"),
                                       RouteKey::primary("a")};
    for (std::size_t at = 1; at < sorted.size(); ++at) {
        CHECK(sorted[at - 1] < sorted[at]);
        CHECK(sorted[at - 1].text() < sorted[at].text());
    }
}
