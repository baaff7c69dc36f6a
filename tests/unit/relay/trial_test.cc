// What a trial makes of what it sees; the trying itself is for scenarios.
#include <catch2/catch.hpp>

#include "relay/net/address_range.h"
#include "relay/trial.h"
#include "relay/trial_parts.h"
#include "tests/unit/relay/name_server.h"

using namespace postern::relay;
using namespace postern::relay::trial;
using Catch::Contains;

TEST_CASE("advice follows the way a session was not had") {
    const auto advice = [](Stage stage, std::error_code error, int code = 0,
                           const char* section = "[[primary]]") {
        Refusal refusal;
        refusal.stage = stage;
        refusal.error = error;
        refusal.reply.code = static_cast<std::uint16_t>(code);
        return std::string(advice_for(refusal, section));
    };
    CHECK_THAT(advice(Stage::connect, asio::error::connection_refused), Contains("nothing listens there"));
    CHECK_THAT(advice(Stage::connect, asio::error::network_unreachable), Contains("route"));
    CHECK_THAT(advice(Stage::connect, net::make_error_code(net::Error::timed_out)), Contains("firewall"));
    CHECK_THAT(advice(Stage::greeting, {}, 554), Contains("refuses this machine"));
    CHECK_THAT(advice(Stage::greeting, net::make_error_code(net::Error::timed_out)),
               Contains("not as an SMTP server"));
    CHECK_THAT(advice(Stage::tls, {}), Contains("delivery.tls"));
    CHECK_THAT(advice(Stage::tls, {}, 0, "[[gateway]]"), Contains("tls of this [[gateway]]"));
    CHECK_THAT(advice(Stage::auth, {}, 535, "[[gateway]]"), Contains("password_file"));
}

TEST_CASE("a greeting tells whose it is") {
    CHECK(greets_as("220 gw1.example.net ESMTP", "GW1.example.net"));
    CHECK(greets_as("220 gw1.example.net", "gw1.example.net"));
    CHECK(greets_as("220-gw1.example.net hello", "gw1.example.net"));
    CHECK_FALSE(greets_as("220 gw1.example.net.evil.example ESMTP", "gw1.example.net"));
    CHECK_FALSE(greets_as("554 gw1.example.net", "gw1.example.net"));
    CHECK_FALSE(greets_as("", ""));
    CHECK_FALSE(greets_as("220", "gw1.example.net"));
}

TEST_CASE("gateways take all mail, or some") {
    Settings settings;
    CHECK_FALSE(gateways_take_all(settings));
    settings.gateways.push_back({});
    settings.gateways[0].name = "archive";
    CHECK_FALSE(gateways_take_all(settings));
    settings.routes.push_back({"example.com", "", "archive"});
    settings.routes.push_back({"*", "example.com", "archive"});
    CHECK_FALSE(gateways_take_all(settings));
    settings.routes.push_back({"*", "", "archive"});
    CHECK(gateways_take_all(settings));
    settings.gateways[0].enabled = false;
    CHECK_FALSE(gateways_take_all(settings));
    settings.routes.clear();
    settings.gateways[0].type = GatewayType::round_robin;
    CHECK_FALSE(gateways_take_all(settings));
    settings.gateways[0].enabled = true;
    CHECK(gateways_take_all(settings));
}

TEST_CASE("what is tried is known before") {
    Settings settings;
    settings.hostname = "gw1.example.net";
    settings.listeners.push_back({{"::", 25}});
    settings.primaries.push_back({});
    settings.primaries[0].name = "main";
    CHECK(what_is_tried(settings) ==
          std::vector<std::string>{"dns", "hostname", "listener [::]:25", "egress system", "port 25"});
    settings.primaries[0].deliver_to = {"mail.example.com", 25};
    settings.egress.emplace_back().address = "192.0.2.20";
    CHECK(what_is_tried(settings) == std::vector<std::string>{"dns", "hostname", "listener [::]:25",
                                                              "deliver_to of main", "egress 192.0.2.20",
                                                              "port 25 from 192.0.2.20", "egress system"});
    settings.egress.emplace_back().address = "2001:db8::20";
    CHECK(what_is_tried(settings).back() == "port 25 from 2001:db8::20");
    settings.egress.clear();
    settings.gateways.push_back({});
    settings.gateways[0].name = "out";
    settings.gateways[0].type = GatewayType::round_robin;
    CHECK(what_is_tried(settings) == std::vector<std::string>{"dns", "hostname", "listener [::]:25",
                                                              "deliver_to of main", "gateway out"});
}

TEST_CASE("private addresses") {
    for (const auto* text : {"10.1.2.3", "127.0.0.1", "192.168.0.1", "100.64.1.1", "169.254.1.1"})
        CHECK(is_private({text, 32}));
    CHECK(is_private({"fd00::1", 128}));
    CHECK_FALSE(is_private({"192.0.2.1", 32}));
    CHECK_FALSE(is_private({"2a00::1", 128}));
    CHECK_FALSE(is_private({"10.0.0.0", 7}));
}

TEST_CASE("the reverse name of an address leads back, and is our name") {
    const postern::tests::NameServer server(
        {{"8.8.8.in-addr.arpa",
          {"1 PTR gw1.corp.example.", "2 PTR other.corp.example.", "3 PTR liar.corp.example."},
          false,
          {}},
         {"corp.example", {"gw1 A 8.8.8.1", "other A 8.8.8.2", "liar A 8.8.8.9"}, false, {}}});
    auto settings = std::make_shared<Settings>();
    settings->dns = server.settings();
    net::io_context io;
    const postern::base::SystemClock clock;
    net::SystemOutside outside;
    postern::base::SystemDisk disk;
    World world(io, clock, disk, outside, settings, "", "");
    const auto judged = [&](const char* address) {
        Finding found;
        asio::co_spawn(io, reverse_name(world, "egress", asio::ip::make_address(address), "gw1.corp.example"),
                       [&](const std::exception_ptr& thrown, Finding finding) {
                           if (thrown) std::rethrow_exception(thrown);
                           found = std::move(finding);
                       });
        io.restart();
        io.run();
        return found;
    };
    using Result = Finding::Result;
    CHECK(judged("8.8.8.1").result == Result::ok);
    const auto other = judged("8.8.8.2"), liar = judged("8.8.8.3"), nameless = judged("8.8.8.4");
    for (const auto& each : {other, liar, nameless}) CHECK(each.result == Result::warning);
    CHECK_THAT(other.text, Contains("is not the EHLO name gw1.corp.example"));
    CHECK_THAT(other.advice, Contains("other.corp.example"));
    CHECK_THAT(liar.text, Contains("does not lead back"));
    CHECK_THAT(liar.advice, Contains("liar.corp.example") && Contains("8.8.8.3"));
    CHECK_THAT(nameless.advice, Contains("PTR record to gw1.corp.example"));
}
