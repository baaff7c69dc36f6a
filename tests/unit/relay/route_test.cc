#include "relay/delivery/route.h"

#include <catch2/catch.hpp>

#include "tests/unit/relay/directory.h"

using namespace postern;
using namespace postern::relay;
using namespace postern::tests;

namespace {

Settings settings_with(std::vector<GatewaySettings> gateways, std::vector<RouteSettings> routes) {
    Settings out;
    out.primaries = {{"main", {}, {"mail.example.com", 25}}, {"second", {}, {"mail.second.example", 25}}};
    out.primaries[1].domains = {"second.example"};
    out.gateways = std::move(gateways);
    out.routes = std::move(routes);
    return out;
}

GatewaySettings gateway(const char* name, bool enabled = true, GatewayType type = GatewayType::specified) {
    GatewaySettings out;
    out.name = name;
    out.enabled = enabled;
    out.type = type;
    return out;
}

/// A route of the file; `recipient` is a domain.
RouteSettings by(const char* sender, const char* to, const char* recipient = "") {
    RouteSettings out;
    out.sender = sender;
    out.gateway = to;
    out.recipient = recipient;
    return out;
}

}  // namespace

TEST_CASE("the most specific rule chooses the route", "[route]") {
    const auto none = settings_with({}, {});
    const auto ruled =
        settings_with({gateway("user"), gateway("domain"), gateway("all"), gateway("off", false)},
                      {by("*", "all"), by("example.com", "domain"), by("alice@example.com", "user"),
                       by("bob@example.com", "off"), by("carol@example.com", "missing")});
    const auto turn = settings_with({gateway("a", true, GatewayType::round_robin), gateway("user")},
                                    {by("alice@example.com", "user")});
    const auto turned_off = settings_with({gateway("a", false, GatewayType::round_robin)}, {});
    struct Row {
        const Settings* settings;
        const char *sender, *recipient, *key;
    };
    const Row rows[] = {
        {&none, "alice@example.com", "x@example.net", "mx:example.net"},
        {&none, "", "x@example.net", "mx:example.net"},
        {&none, "alice@example.com", "x@[192.0.2.1]", "mx:[192.0.2.1]"},
        {&none, "alice@example.com", "dora@second.example", "primary:second"},
        {&none, "alice@example.com", "bob@example.com", "mx:example.com"},
        {&ruled, "alice@example.com", "x@example.net", "gateway:user"},
        {&ruled, "ALICE@example.com", "x@example.net", "gateway:user"},
        {&ruled, "dave@example.com", "x@example.net", "gateway:domain"},
        {&ruled, "bob@example.com", "x@example.net", "gateway:domain"},
        {&ruled, "carol@example.com", "x@example.net", "gateway:domain"},
        {&ruled, "x@sub.example.com", "x@example.net", "gateway:all"},
        {&ruled, "", "x@example.net", "gateway:all"},
        {&ruled, "alice@example.com", "dora@second.example", "primary:second"},
        {&turn, "alice@example.com", "x@example.net", "gateway:user"},
        {&turn, "bob@example.com", "x@example.net", "gateways"},
        {&turned_off, "bob@example.com", "x@example.net", "mx:example.net"},
    };
    for (const auto& row : rows) {
        CAPTURE(row.sender, row.recipient, row.key);
        Envelope envelope;
        envelope.primary = "main";
        if (*row.sender != '\0') envelope.reverse_path = *parse_address(row.sender);
        Route out =
            choose_route(*row.settings, small_directory(), envelope, *parse_address(row.recipient), synced);
        CHECK(out.key.text() == row.key);
        CHECK_FALSE(out.why.empty());
    }
}

TEST_CASE("a recipient's domain comes after the sender and before everybody", "[route]") {
    auto settings =
        settings_with({gateway("all"), gateway("to"), gateway("user"), gateway("both"), gateway("domain")},
                      {by("*", "all"), by("", "to", "example.net"), by("alice@example.com", "user"),
                       by("alice@example.com", "both", "example.net"), by("example.org", "domain")});
    auto key = [&](const char* sender, const char* recipient) {
        Envelope envelope;
        envelope.primary = "main";
        envelope.reverse_path = *parse_address(sender);
        return choose_route(settings, small_directory(), envelope, *parse_address(recipient), synced)
            .key.text();
    };
    CHECK(key("alice@example.com", "x@example.net") == "gateway:both");
    CHECK(key("alice@example.com", "x@elsewhere.example") == "gateway:user");
    CHECK(key("bob@example.com", "x@example.net") == "gateway:to");
    CHECK(key("bob@example.com", "x@sub.example.net") == "gateway:all");
    CHECK(key("bob@example.org", "x@example.net") == "gateway:domain");
    RouteSettings later = by("alice@example.com", "domain");
    later.configured = false;
    settings.routes.push_back(later);
    CHECK(key("alice@example.com", "x@elsewhere.example") == "gateway:domain");
    CHECK(key("alice@example.com", "x@example.net") == "gateway:both");
}

TEST_CASE("a primary gets the others' mail by its domains alone, whatever it lists", "[route]") {
    auto settings = settings_with({}, {});
    Envelope envelope;
    const Address dora{"dora", "second.example"};
    auto key = [&] { return choose_route(settings, small_directory(), envelope, dora, synced).key.text(); };
    envelope.primary = "main";
    CHECK(key() == "primary:second");
    settings.primaries[1].domains = {"third.example"};
    CHECK(key() == "mx:second.example");
    CHECK(choose_route(settings, small_directory(), envelope, dora, synced).why.find("second lists") !=
          std::string::npos);
    settings.primaries[1].domains.clear();
    CHECK(key() == "mx:second.example");
    settings.primaries[1].domains = {"*"};
    CHECK(key() == "primary:second");
    settings.primaries[1].domains.clear();
    envelope.primary.clear();  // nobody's
    CHECK(key() == "primary:second");
    envelope.primary = "second";
    Route own = choose_route(settings, small_directory(), envelope, dora, synced);
    CHECK(own.key.text() == "mx:second.example");
    CHECK(own.why.find("own primary") != std::string::npos);
    settings.primaries.erase(settings.primaries.begin());
    envelope.primary = "gone";
    CHECK(key() == "primary:second");
}

TEST_CASE("the postmaster of this host is a primary's when nobody else is", "[route]") {
    auto settings = settings_with({}, {});
    settings.hostname = "gw1.example.net";
    Envelope envelope;
    const Address to{"postmaster", "gw1.example.net"};
    CHECK(choose_route(settings, {}, envelope, to, synced).key.text() == "primary:main");
    envelope.primary = "main";
    CHECK(choose_route(settings, {}, envelope, to, synced).key.text() == "mx:gw1.example.net");
}

TEST_CASE("a report about forwarded mail goes to its stranger directly", "[route]") {
    auto settings = settings_with({}, {});
    Envelope envelope;
    envelope.bounce = true;
    envelope.primary = "main";
    CHECK(choose_route(settings, small_directory(), envelope, *parse_address("x@stranger.example"), synced)
              .key.text() == "mx:stranger.example");
    CHECK(choose_route(settings, small_directory(), envelope, *parse_address("alice@example.com"), synced)
              .key.text() == "primary:main");
}

TEST_CASE("a bounce goes back through its primary", "[route]") {
    auto settings = settings_with({gateway("all")}, {by("*", "all")});
    Envelope envelope;
    envelope.bounce = true;
    envelope.primary = "main";
    Address to{"x", "example.net"};
    CHECK(choose_route(settings, {}, envelope, to, synced).key.text() == "primary:main");
    envelope.primary = "gone";
    CHECK(choose_route(settings, {}, envelope, to, synced).key.text() == "gateway:all");
    envelope.primary = "main";
    settings.primaries[0].deliver_to.host.clear();
    settings.routes.clear();
    CHECK(choose_route(settings, {}, envelope, to, synced).key.text() == "mx:example.net");
}

TEST_CASE("what a primary sends goes through the screening gateway first, and a copy to the archive",
          "[route]") {
    auto settings = settings_with({gateway("dlp"), gateway("archive"), gateway("user")}, {by("*", "user")});
    settings.screening.gateway = "dlp";
    settings.screening.of = {"example.com", "carol@other.example"};
    settings.journal.gateway = "archive";
    const auto route = [&](const char* sender, const auto& change) {
        Envelope envelope;
        envelope.primary = "main";
        envelope.reverse_path = parse_address(sender).value_or(Address());
        change(envelope);
        return choose_route(settings, small_directory(), envelope, *parse_address("x@second.example"), synced)
            .key.text();
    };
    const auto nothing = [](Envelope&) {};
    CHECK(route("alice@example.com", nothing) == "gateway:dlp");
    CHECK(route("Carol+x@other.example", nothing) == "gateway:dlp");
    CHECK(route("dora@other.example", nothing) == "primary:second");
    CHECK(route("alice@example.com", [](Envelope& one) { one.screened = true; }) == "primary:second");
    CHECK(route("alice@example.com", [](Envelope& one) { one.primary.clear(); }) == "primary:second");
    CHECK(route("", [](Envelope& one) {
              one.primary.clear();
              one.journal = JournalReport::whole;
          }) == "gateway:archive");
    settings.journal.gateway.clear();
    settings.routes = {by("*", "dlp")};
    CHECK(route("dora@other.example", nothing) == "primary:second");
    CHECK(route("alice@example.com", [](Envelope& one) { one.screened = true; }) == "primary:second");
    CHECK(route("", [](Envelope& one) {
              one.primary.clear();
              one.journal = JournalReport::whole;
          }) == "primary:second");
    settings.gateways[0].enabled = false;
    CHECK(route("alice@example.com", nothing) == "gateway:dlp");
    CHECK(route_exists(settings, RouteKey::gateway("dlp")));
    settings.screening.gateway.clear();
    CHECK_FALSE(route_exists(settings, RouteKey::gateway("dlp")));
}

TEST_CASE("gateways and primaries by name", "[route]") {
    auto settings = settings_with({gateway("a"), gateway("b")}, {});
    CHECK(find_gateway(settings, "b") == &settings.gateways[1]);
    CHECK(find_gateway(settings, "c") == nullptr);
    CHECK(find_primary(settings, "second") == &settings.primaries[1]);
    CHECK(find_primary(settings, "") == nullptr);
}

TEST_CASE("a route exists as long as the settings have what it is named after", "[route]") {
    using enum GatewayType;
    const Settings settings =
        settings_with({gateway("one"), gateway("off", false), gateway("a", true, round_robin),
                       gateway("b", false, round_robin), gateway("c", true, round_robin)},
                      {});
    for (const char* there : {"gateway:one", "gateway:a", "gateways", "primary:main", "mx:example.net"})
        CHECK(route_exists(settings, RouteKey::of(there)));
    for (const char* gone : {"gateway:off", "gateway:b", "gateway:none", "primary:none"})
        CHECK_FALSE(route_exists(settings, RouteKey::of(gone)));
    CHECK_FALSE(route_exists(settings_with({gateway("one")}, {}), RouteKey::gateways()));
    CHECK(ways_of(settings, RouteKey::gateways()) ==
          std::vector{RouteKey::gateway("a"), RouteKey::gateway("c")});
    CHECK(ways_of(settings, RouteKey::exchangers("example.net")) ==
          std::vector{RouteKey::exchangers("example.net")});
    CHECK(ways_of(settings_with({}, {}), RouteKey::gateways()).empty());
}
