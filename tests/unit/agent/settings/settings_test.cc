#include "agent/settings/settings.h"

#include <catch2/catch.hpp>
#include <cstdlib>
#include <fstream>
#include <set>

#include "agent/settings/environment.h"
#include "agent/settings/keys.h"
#include "agent/settings/reply_rules.h"
#include "tests/unit/agent/settings/settings_file.h"

using namespace postern;
using namespace postern::agent;
using namespace postern::tests;

TEST_CASE("the default of each key is what the settings have by themselves") {
    // What every gateway needs, and who uses relay without a file does not.
    const std::set<std::string> more{
        "state_dir",         "user",      "threads",     "delivery.ignore_addresses",
        "dns.trust_anchors", "dkim.keys", "limits.user", "limits.domain"};
    for (const auto& section : sections())
        for (const auto& key : section.keys) {
            if (key.given != Given::defaulted) continue;
            const std::string path =
                (section.name.empty() ? "" : std::string(section.name) + '.') + std::string(key.name);
            CAPTURE(path);
            Settings plain;
            if (section.repeated()) section.begin(plain);
            auto settings = plain;
            CHECK(key.set(settings, key.initial).empty());
            CHECK((settings == plain) != more.contains(path));
        }
}

TEST_CASE("what a small file does not say has its default") {
    const auto reading = parse_settings(sound);
    CHECK(lines(reading).empty());
    const auto& settings = reading.settings;
    CHECK(settings.relay.hostname == "gw1.example.net");
    CHECK(settings.relay.state_dir == "/var/lib/postern");
    CHECK(settings.relay.threads == 0);
    CHECK(settings.relay.delivery.ignore_addresses.size() == 4);
    CHECK(settings.relay.dns.trust_anchors == "/usr/share/dns/root.key");
    CHECK(settings.user == "postern");
    REQUIRE(settings.relay.listeners.size() == 1);
    CHECK(settings.relay.listeners[0].tls == relay::ListenerTls::opportunistic);
    CHECK(settings.relay.listeners[0].inherited_fd == -1);
    REQUIRE(settings.directories.size() == 1);
    CHECK(settings.directories[0].name == "main");
    CHECK(settings.relay.primaries[0].addresses[1].prefix == 64);
    CHECK(settings.relay.primaries[0].deliver_to.host.empty());
    CHECK(settings.status.address.port == 8025);
    CHECK(settings.token_file() == "/var/lib/postern/token");
}

TEST_CASE("every key that is given arrives") {
    const auto reading = parse_settings(R"(
hostname = "a.example"
state_dir = "/tmp/state"
user = ""
[[listener]]
address = "[::1]:26"
tls = "required"
[tls]
certificate = "/c"
private_key = "/k"
ca_file = "/ca"
[[primary]]
name = "one"
addresses = ["127.0.0.1"]
deliver_to = "mail.example"
[accept]
mode = "monitor"
sender = "any"
foreign_sender = "accept"
bare_newline = "refuse"
recipients = 7
minimum_free = "1GiB"
timeout = "2s"
[[gateway]]
name = "archive"
address = "[::1]:587"
tls = "verify"
status = "disabled"
type = "round-robin"
[[route]]
sender = "CEO@Example.COM"
gateway = "archive"
[queue]
expire = "1m30s"
retry_first = "1s"
retry_max = "2s"
volume_size = "16MiB"
[delivery]
port = 2526
tls = "off"
idle = "0s"
[dns]
servers = ["127.0.0.1@5353"]
stub = { "Corp.example" = "127.0.0.1@5354" }
trust_anchors = ""
[status]
address = "[::1]:8026"
token_file = "/t"
[log]
format = "json"
level = "debug"
)");
    CHECK(lines(reading).empty());
    const auto& relay = reading.settings.relay;
    CHECK(reading.settings.user.empty());
    CHECK(relay.listeners[0].address.host == "::1");
    CHECK(relay.listeners[0].tls == relay::ListenerTls::required);
    CHECK(relay.tls.private_key == "/k");
    CHECK(relay.primaries[0].deliver_to.port == 25);
    CHECK(reading.settings.synced().empty());
    CHECK_FALSE(relay.accept.enforce);
    CHECK(relay.accept.sender == relay::Check::any);
    CHECK(relay.accept.foreign_sender == relay::ForeignSender::accept);
    CHECK(relay.accept.bare_newline == relay::BareNewline::refuse);
    CHECK(relay.accept.recipients == 7);
    CHECK(relay.accept.minimum_free == 1u << 30);
    CHECK(relay.gateways[0].tls == relay::ClientTls::verify);
    CHECK_FALSE(relay.gateways[0].enabled);
    CHECK(relay.gateways[0].type == relay::GatewayType::round_robin);
    CHECK(relay.routes[0].sender == "ceo@example.com");
    CHECK(relay.queue.expire == std::chrono::seconds(90));
    CHECK(relay.delivery.port == 2526);
    CHECK(relay.delivery.tls == relay::ClientTls::off);
    CHECK(relay.delivery.idle == std::chrono::seconds(0));
    CHECK(relay.dns.servers == std::vector<std::string>{"127.0.0.1@5353"});
    CHECK(relay.dns.stub.at(0).first == "corp.example");
    CHECK(relay.dns.trust_anchors.empty());
    CHECK(reading.settings.status.address.host == "::1");
    CHECK(reading.settings.token_file() == "/t");
    CHECK(reading.settings.log.format == LogFormat::json);
}

TEST_CASE("every key about mail that leaves arrives") {
    const auto reading = parse_settings(sound + R"(
[accept]
foreign_sender = "rewrite"
rewrite_domain = "Srs.example.net"
[[gateway]]
name = "archive"
address = "smtp.archive.example:465"
tls = "implicit"
username = "acme"
password_file = "/p"
connections = 3
messages_per_minute = 60
[[gateway]]
name = "plain"
address = "127.0.0.1:26"
tls = "dane"
username = "acme"
password_file = "/p"
allow_insecure_auth = true
[[gateway]]
name = "bare"
address = "127.0.0.1:27"
[[route]]
recipient = "Partner.example"
gateway = "archive"
[[route]]
sender = "*"
recipient = "other.example"
gateway = "plain"
[[route]]
sender = "*"
gateway = "bare"
[[destination]]
domain = "Bank.example"
tls = "dane"
connections = 2
messages_per_minute = 30
[[destination]]
domain = "slow.example"
[[egress]]
address = "192.0.2.20"
hostname = "Gw1.example.net"
warm_up = "yes"
[[egress]]
address = "2001:DB8::0:20"
[queue]
delay_notice = "4h"
report_size = "0B"
[delivery]
messages_per_minute = 100
dane = false
mta_sts = false
rotation = "per-domain"
blocklists = ["Zen.example"]
receivers = ["*.Big.example", "mx.small.example"]
blocklist_every = "1m"
listed_for = "1h"
warm_up = [10, 20]
reply_rules = "/r"
)");
    CHECK(lines(reading).empty());
    const auto& relay = reading.settings.relay;
    CHECK(relay.accept.foreign_sender == relay::ForeignSender::rewrite);
    CHECK(relay.accept.rewrite_domain == "srs.example.net");
    REQUIRE(relay.gateways.size() == 3);
    CHECK(relay.gateways[0].tls == relay::ClientTls::implicit);
    CHECK(relay.gateways[0].username == "acme");
    CHECK(relay.gateways[0].password_file == "/p");
    CHECK(relay.gateways[0].connections == 3);
    CHECK(relay.gateways[0].messages_per_minute == 60);
    CHECK_FALSE(relay.gateways[0].allow_insecure_auth);
    CHECK(relay.gateways[1].tls == relay::ClientTls::dane);
    CHECK(relay.gateways[1].allow_insecure_auth);
    CHECK(relay.gateways[2].username.empty());
    REQUIRE(relay.routes.size() == 3);
    CHECK(relay.routes[0].sender.empty());
    CHECK(relay.routes[0].recipient == "partner.example");
    CHECK(relay.routes[0].configured);
    CHECK(relay.routes[1].sender.empty());
    CHECK(relay.routes[2].sender == "*");
    REQUIRE(relay.destinations.size() == 2);
    CHECK(relay.destinations[0].domain == "bank.example");
    CHECK(relay.destinations[0].tls == relay::ClientTls::dane);
    CHECK(relay.destinations[0].connections == 2);
    CHECK(relay.destinations[0].messages_per_minute == 30);
    CHECK_FALSE(relay.destinations[1].tls);
    REQUIRE(relay.egress.size() == 2);
    CHECK(relay.egress[0].hostname == "gw1.example.net");
    CHECK(relay.egress[0].warm_up == relay::WarmUp::yes);
    CHECK(relay.egress[1].address == "2001:db8::20");
    CHECK(relay.egress[1].hostname.empty());
    CHECK(relay.queue.delay_notice == std::chrono::hours(4));
    CHECK(relay.queue.report_size == 0);
    CHECK(relay.delivery.messages_per_minute == 100);
    CHECK_FALSE(relay.delivery.dane);
    CHECK_FALSE(relay.delivery.mta_sts);
    CHECK(relay.delivery.rotation == relay::Rotation::per_domain);
    CHECK(relay.delivery.blocklists == std::vector<std::string>{"zen.example"});
    CHECK(relay.delivery.receivers == std::vector<std::string>{"*.big.example", "mx.small.example"});
    CHECK(relay.delivery.blocklist_every == std::chrono::minutes(1));
    CHECK(relay.delivery.listed_for == std::chrono::hours(1));
    CHECK(relay.delivery.warm_up == std::vector<unsigned>{10, 20});
    CHECK(reading.settings.reply_rules == "/r");
}

TEST_CASE(
    "reply rules come from their file, with their own lines; without one the shipped ones are in force") {
    char name[] = "/tmp/postern-settings-XXXXXX";
    const std::filesystem::path folder = mkdtemp(name);
    const auto file = folder / "rules.toml";
    const auto read = [&] {
        auto reading = parse_settings("[delivery]\nreply_rules = \"" + file.string() + "\"\n");
        reading.faults.clear();
        check_files(reading);
        return reading;
    };
    CHECK_THAT(lines(read()).at(0),
               Catch::Contains("delivery.reply_rules") && Catch::Contains("No such file"));
    std::ofstream(file) << "[[rule]]\nname = \"mine\"\nmeaning = \"listed\"\ntext = \"go away\"\n";
    const auto good = read();
    CHECK(lines(good).empty());
    REQUIRE(good.settings.relay.delivery.reply_rules.size() == 1);
    CHECK(good.settings.relay.delivery.reply_rules[0].name == "mine");
    std::ofstream(file) << "[[rule]]\nname = \"mine\"\nmeaning = \"lisbet\"\ntext = \"go away\"\n";
    const auto found = lines(read());
    REQUIRE(found.size() == 1);
    CHECK_THAT(found[0], Catch::StartsWith(file.string() + ":3:11: rule[0].meaning: "));
    auto without = parse_settings("");
    without.faults.clear();
    check_files(without);
    CHECK(without.settings.relay.delivery.reply_rules.size() == shipped_reply_rules().size());
    std::filesystem::remove_all(folder);
}
