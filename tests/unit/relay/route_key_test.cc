#include "relay/mail/route_key.h"

#include <catch2/catch.hpp>

using namespace postern::relay;

TEST_CASE("a route's name is read as it was written") {
    struct Row {
        const char* text;
        RouteKey::Kind kind;
        const char* name;
    };
    for (const auto& row : {Row{"mx:example.net", RouteKey::Kind::exchangers, "example.net"},
                            Row{"mx:[192.0.2.1]", RouteKey::Kind::exchangers, "[192.0.2.1]"},
                            Row{"gateway:archive", RouteKey::Kind::gateway, "archive"},
                            Row{"gateway:mx:odd", RouteKey::Kind::gateway, "mx:odd"},
                            Row{"gateways", RouteKey::Kind::gateways, ""},
                            Row{"primary:main", RouteKey::Kind::primary, "main"}}) {
        CAPTURE(row.text);
        const auto key = RouteKey::parse(row.text);
        REQUIRE(key);
        CHECK(key->kind == row.kind);
        CHECK(key->name == row.name);
        CHECK(key->text() == row.text);
        CHECK(RouteKey::name_in(row.text, row.kind) == row.name);
        CHECK(RouteKey::is(row.text, RouteKey::Kind::primary) == (row.kind == RouteKey::Kind::primary));
    }
    for (const char* text : {"", "mx", "MX:example.net", "gatewaysx", "gateways:", "example.net"})
        CHECK_FALSE(RouteKey::parse(text));
}
