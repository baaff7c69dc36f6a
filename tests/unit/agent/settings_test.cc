#include "agent/settings.h"

#include <catch2/catch.hpp>
#include <cstdlib>
#include <fstream>

#include "agent/keys.h"

using namespace postern;
using namespace postern::agent;

namespace {

const std::string sound = R"(
hostname = "gw1.example.net"
[[listener]]
address = "127.0.0.1:2525"
[[primary]]
name = "main"
url = "https://mail.example.com"
username = "gateway"
password_file = "/etc/postern/secrets/main"
addresses = ["192.0.2.10", "2001:db8::/64"]
)";

std::vector<std::string> lines(const Reading& reading) {
    std::vector<std::string> result;
    for (const auto& fault : reading.faults) result.push_back(fault.line("postern.toml"));
    return result;
}

/// The lines of all faults of the sound file with `more` behind it.
std::vector<std::string> faults_with(const std::string& more) { return lines(parse_settings(sound + more)); }

}  // namespace

TEST_CASE("a small file gives the defaults of the relay's and the directory's settings") {
    const auto reading = parse_settings(sound);
    CHECK(lines(reading).empty());
    const auto& settings = reading.settings;
    const relay::Settings plain;
    CHECK(settings.relay.hostname == "gw1.example.net");
    CHECK(settings.relay.state_dir == "/var/lib/postern");
    CHECK(settings.user == "postern");
    REQUIRE(settings.relay.listeners.size() == 1);
    CHECK(settings.relay.listeners[0].tls == relay::ListenerTls::opportunistic);
    CHECK(settings.relay.listeners[0].inherited_fd == -1);
    CHECK(settings.relay.accept.enforce == plain.accept.enforce);
    CHECK(settings.relay.accept.sender == plain.accept.sender);
    CHECK(settings.relay.accept.foreign_sender == plain.accept.foreign_sender);
    CHECK(settings.relay.accept.bare_newline == plain.accept.bare_newline);
    CHECK(settings.relay.accept.recipients == plain.accept.recipients);
    CHECK(settings.relay.accept.connections == plain.accept.connections);
    CHECK(settings.relay.accept.protocol_errors == plain.accept.protocol_errors);
    CHECK(settings.relay.accept.timeout == plain.accept.timeout);
    CHECK(settings.relay.accept.minimum_free == plain.accept.minimum_free);
    CHECK(settings.relay.queue.expire == plain.queue.expire);
    CHECK(settings.relay.queue.retry_first == plain.queue.retry_first);
    CHECK(settings.relay.queue.retry_max == plain.queue.retry_max);
    CHECK(settings.relay.queue.message_size == plain.queue.message_size);
    CHECK(settings.relay.queue.volume_size == plain.queue.volume_size);
    CHECK(settings.relay.delivery.port == plain.delivery.port);
    CHECK(settings.relay.delivery.tls == plain.delivery.tls);
    CHECK(settings.relay.delivery.connections == plain.delivery.connections);
    CHECK(settings.relay.delivery.per_destination == plain.delivery.per_destination);
    CHECK(settings.relay.delivery.recipients == plain.delivery.recipients);
    CHECK(settings.relay.delivery.connect_timeout == plain.delivery.connect_timeout);
    CHECK(settings.relay.delivery.command_timeout == plain.delivery.command_timeout);
    CHECK(settings.relay.delivery.data_timeout == plain.delivery.data_timeout);
    CHECK(settings.relay.delivery.idle == plain.delivery.idle);
    CHECK(settings.relay.dns.timeout == plain.dns.timeout);
    REQUIRE(settings.directories.size() == 1);
    const sync::PrimarySettings primary;
    CHECK(settings.directories[0].name == "main");
    CHECK(settings.directories[0].api == primary.api);
    CHECK(settings.directories[0].poll_every == primary.poll_every);
    CHECK(settings.directories[0].trust_for == primary.trust_for);
    CHECK(settings.directories[0].gap == primary.gap);
    CHECK(settings.directories[0].verify_tls == primary.verify_tls);
    CHECK(settings.relay.primaries[0].addresses[1].prefix == 64);
    CHECK(settings.relay.primaries[0].deliver_to.host.empty());
    CHECK(settings.status.address.port == 8025);
    CHECK(settings.token_file() == "/var/lib/postern/token");
    CHECK(settings.log.level == LogLevel::info);
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

TEST_CASE("faults name file, line, column, key, and what is allowed") {
    struct Case {
        std::string more;
        std::string line;
    };
    // The sound part has ten lines, the empty one at its start included.
    const auto c = GENERATE(values<Case>({
        {"[[listener]]\naddress = \"127.0.0.1:26\"\ntls = \"sometimes\"\n",
         "postern.toml:13:7: listener[1].tls: \"sometimes\" is not one of off, opportunistic, required, "
         "implicit"},
        {"[queue]\nexpire = \"5 days\"\n",
         "postern.toml:12:10: queue.expire: \"5 days\" is not a duration: the unit is missing: one of d, h, "
         "m, s, ms"},
        {"[queue]\nexpire = 5\n",
         "postern.toml:12:10: queue.expire: text in quotes is expected here (duration, 1s to 365d)"},
        {"[queue]\nretry_max = \"1000d\"\n",
         "postern.toml:12:13: queue.retry_max: \"1000d\" is not in 1s to 30d"},
        {"[queue]\nretry_max = \"2m1ms\"\n",
         "postern.toml:12:13: queue.retry_max: \"2m1ms\" is not in whole seconds"},
        {"[queue]\nmessage_size = \"50MB\"\n",
         "postern.toml:12:16: queue.message_size: \"50MB\" is not a size: the unit is not one of B, KiB, "
         "MiB, GiB"},
        {"[delivery]\nport = 70000\n", "postern.toml:12:8: delivery.port: 70000 is not in 1 to 65535"},
        {"[delivery]\nport = true\n",
         "postern.toml:12:8: delivery.port: a whole number, without quotes is expected here (number, 1 to "
         "65535)"},
        {"[delivery]\nport = 25.0\n",
         "postern.toml:12:8: delivery.port: a whole number, without quotes is expected here (number, 1 to "
         "65535)"},
        {"[log]\nbanana = 1\n",
         "postern.toml:12:1: log.banana: there is no such key. Allowed: format, level"},
        {"[log]\nformt = \"json\"\n",
         "postern.toml:12:1: log.formt: there is no such key; is \"format\" meant? Allowed: format, level"},
        {"[[gateway]]\nname = \"a b\"\naddress = \"x\"\n",
         "postern.toml:12:8: gateway[0].name: \"a b\" is not a name of 1 to 64 letters, digits, \"-\", \"_\" "
         "and \".\""},
        {"[[gateway]]\nname = \"a\"\n",
         "postern.toml:11:1: gateway[0].address: is missing; it is needed here"},
        {"[[gateway]]\nname = \"archive\"\naddress = \"x\"\n[[route]]\nsender = \"*\"\ngateway = "
         "\"archiv\"\n",
         "postern.toml:16:11: route[0].gateway: there is no [[gateway]] named \"archiv\"; is \"archive\" "
         "meant?"},
        {"[status]\naddress = \"0.0.0.0:8025\"\n",
         "postern.toml:12:11: status.address: must be a loopback address such as \"127.0.0.1:8025\": the "
         "status "
         "endpoint has no TLS yet"},
        {"[tls]\ncertificate = \"cert.pem\"\nprivate_key = \"/k\"\n",
         "postern.toml:12:15: tls.certificate: \"cert.pem\" is not an absolute path"},
        {"[dns]\nstub = { \"example\" = 5 }\n",
         "postern.toml:12:8: dns.stub: a table of texts, as { \"a\" = \"b\" } is expected here (table of "
         "zone = "
         "server)"},
        {"[[queue]]\n", "postern.toml:11:1: queue: is a section that appears once: write [queue]"},
        {"[gateway]\nname = \"a\"\n",
         "postern.toml:11:1: gateway: is a section that may appear several times: write [[gateway]]"},
        {"[[listener]]\naddress = \"127.0.0.1:2525\"\n",
         "postern.toml:12:11: listener[1].address: \"127.0.0.1:2525\" is already used by another "
         "[[listener]]"},
        {"[[listener]]\naddress = \"mail.example:25\"\n",
         "postern.toml:12:11: listener[1].address: \"mail.example\" is a name; a listener needs an IP "
         "address"},
        {"[[listener]]\naddress = \"127.0.0.1:465\"\ntls = \"implicit\"\n",
         "postern.toml:13:7: listener[1].tls: needs a certificate: set tls.certificate and tls.private_key, "
         "or use "
         "opportunistic or off"},
    }));
    const auto found = faults_with(c.more);
    REQUIRE(found.size() == 1);
    CHECK(found[0] == c.line);
}

TEST_CASE("an unknown section names the likely one") {
    const auto found = faults_with("[ques]\nexpire = \"5d\"\n");
    REQUIRE(found.size() == 1);
    CHECK_THAT(found[0], Catch::Contains("is \"queue\" meant? Allowed: hostname, "));
}

TEST_CASE("all faults are reported at once, in the order of the file") {
    const auto found =
        lines(parse_settings("hostname = 5\n[queue]\nexpire = \"x\"\nbogus = 1\n[log]\nlevel = \"loud\"\n"));
    REQUIRE(found.size() >= 6);
    CHECK_THAT(found[0], Catch::StartsWith("postern.toml: listener: is missing"));
    CHECK_THAT(found[1], Catch::StartsWith("postern.toml: primary: is missing"));
    CHECK_THAT(found[2], Catch::StartsWith("postern.toml:1:12: hostname"));
    CHECK_THAT(found[3], Catch::StartsWith("postern.toml:3:10: queue.expire"));
    CHECK_THAT(found[4], Catch::StartsWith("postern.toml:4:1: queue.bogus"));
    CHECK_THAT(found[5], Catch::StartsWith("postern.toml:6:9: log.level"));
}

TEST_CASE("what is not TOML is one fault with its place") {
    const auto found = lines(parse_settings("a = \n"));
    REQUIRE(found.size() == 1);
    CHECK_THAT(found[0], Catch::StartsWith("postern.toml:1:"));
}

TEST_CASE("senders can only be looked up where there is a directory") {
    const std::string without =
        "[[listener]]\naddress = \"127.0.0.1:25\"\n[[primary]]\nname = \"main\"\naddresses = "
        "[\"127.0.0.1\"]\n";
    const auto found = lines(parse_settings("hostname = \"a.example\"\n" + without));
    REQUIRE(found.size() == 1);
    CHECK_THAT(found[0],
               Catch::Contains("primary[0].url: is missing") && Catch::Contains("accept.sender = \"any\""));
    CHECK(lines(parse_settings("hostname = \"a.example\"\n" + without + "[accept]\nsender = \"any\"\n"))
              .empty());
}

TEST_CASE("a url needs a user and a password") {
    const auto found =
        lines(parse_settings("hostname = \"a.example\"\n[[listener]]\naddress = \"127.0.0.1:25\"\n"
                             "[[primary]]\nname = \"main\"\naddresses = [\"127.0.0.1\"]\n"
                             "url = \"ftp://x\"\n"));
    REQUIRE(found.size() == 3);
    CHECK_THAT(found[0], Catch::Contains("primary[0].username: is missing"));
    CHECK_THAT(found[1], Catch::Contains("primary[0].password_file: is missing"));
    CHECK_THAT(found[2], Catch::Contains("primary[0].url: \"ftp://x\" is not a web address"));
}

TEST_CASE("hostile files are refused, not crashed upon") {
    const auto* text =
        GENERATE("listener = 5", "listener = [5]", "primary = []", "[[primary]]\naddresses = [1, [2]]",
                 "tls = [[[[]]]]", "[dns]\nstub = []", "queue = \"x\"", "\xff\xfe", "[accept]\nmode = {}");
    CAPTURE(text);
    CHECK_FALSE(parse_settings(text).faults.empty());
    CHECK_FALSE(parse_settings("x = " + std::string(100'000, '[')).faults.empty());
}

TEST_CASE("gateway mode needs an address of its own, credentials, and TLS beyond this machine") {
    struct Case {
        std::string more, fault;  // "" for none
    };
    const std::string who = "gateway_mode_user = \"spool\"\ngateway_mode_password_file = \"/p\"\n";
    const std::string tls = "[tls]\ncertificate = \"/c\"\nprivate_key = \"/k\"\n";
    const auto c = GENERATE_COPY(values<Case>({
        {"gateway_mode = \"127.0.0.1:9998\"\n" + who, ""},
        {"gateway_mode = \"\"\n", ""},
        {"gateway_mode = \"192.0.2.20:9998\"\n" + who + tls, ""},
        {"gateway_mode = \"192.0.2.20:9998\"\ngateway_mode_plain = true\n" + who, ""},
        {"gateway_mode = \"192.0.2.20:9998\"\n" + who, "without TLS"},
        {"gateway_mode = \"[::]:9998\"\n" + who, "without TLS"},
        {"gateway_mode = \"127.0.0.1:9998\"\n", "needs status.gateway_mode_user"},
        {"gateway_mode = \"127.0.0.1:9998\"\ngateway_mode_user = \"spool\"\n", "gateway_mode_password_file"},
        {"gateway_mode = \"127.0.0.1:8025\"\n" + who, "an address of its own"},
        {"gateway_mode = \"gw1.example.net:9998\"\n" + who, "is a name"},
        {"gateway_mode = \"127.0.0.1\"\n" + who, "\"127.0.0.1\""},
    }));
    CAPTURE(c.more);
    const auto found = faults_with("[status]\n" + c.more);
    REQUIRE(found.size() == (c.fault.empty() ? 0 : 1));
    if (!c.fault.empty()) CHECK_THAT(found[0], Catch::Contains(c.fault));
}

TEST_CASE("files that are named must be there, and hold something") {
    char name[] = "/tmp/postern-settings-XXXXXX";
    const std::filesystem::path folder = mkdtemp(name);
    std::ofstream(folder / "empty");
    std::ofstream(folder / "full") << "secret\n";
    auto reading =
        parse_settings("[tls]\ncertificate = \"" + (folder / "full").string() + "\"\nprivate_key = \"" +
                       (folder / "none").string() + "\"\nca_file = \"" + (folder / "empty").string() +
                       "\"\n[[primary]]\nname = \"m\"\npassword_file = \"" + folder.string() + "\"\n");
    reading.faults.clear();
    check_files(reading);
    const auto found = lines(reading);
    REQUIRE(found.size() == 3);
    CHECK_THAT(found[0], Catch::Contains("tls.private_key") && Catch::Contains("No such file"));
    CHECK_THAT(found[1], Catch::Contains("tls.ca_file") && Catch::Contains("is empty"));
    CHECK_THAT(found[2],
               Catch::Contains("primary[0].password_file") && Catch::Contains("not a regular file"));
    std::filesystem::remove_all(folder);
}

TEST_CASE("a file that cannot be read is a fault") {
    const auto reading = read_settings("/nonexistent/postern.toml");
    REQUIRE(reading.faults.size() == 1);
    CHECK(reading.faults[0].line("/nonexistent/postern.toml") ==
          "/nonexistent/postern.toml: cannot be read: No such file or directory");
    CHECK_FALSE(read_settings("/tmp").faults.empty());
}
