// What is wrong with a file of settings, and how that is told.
#include <catch2/catch.hpp>
#include <cstdlib>
#include <fstream>

#include "agent/settings/environment.h"
#include "agent/settings/keys.h"
#include "agent/settings/reply_rules.h"
#include "tests/unit/agent/settings/settings_file.h"

using namespace postern;
using namespace postern::agent;
using namespace postern::tests;

TEST_CASE("a gateway's password goes only where it may") {
    const std::string gateway = "[[gateway]]\nname = \"a\"\naddress = \"a.example:587\"\n";
    const std::string who = "username = \"acme\"\npassword_file = \"/p\"\n";
    struct Case {
        std::string more, fault;  // "" for none
    };
    const auto c = GENERATE_COPY(values<Case>({
        {"tls = \"verify\"\n" + who, ""},
        {"tls = \"dane\"\n" + who, ""},
        {"tls = \"implicit\"\n" + who, ""},
        {"tls = \"off\"\nallow_insecure_auth = true\n" + who, ""},
        {"tls = \"off\"\n" + who, "postern.toml:14:7: gateway[0].tls: would show the password"},
        {"tls = \"opportunistic\"\n" + who, "gateway[0].tls: would show the password"},
        {"tls = \"required\"\n" + who, "set tls to verify, dane or implicit, or allow_insecure_auth = true"},
        {who, "postern.toml:14:12: gateway[0].username: would show the password"},
        {"tls = \"verify\"\nusername = \"acme\"\n", "gateway[0].username: needs password_file"},
        {"tls = \"verify\"\npassword_file = \"/p\"\n",
         "gateway[0].password_file: is of no use without username"},
    }));
    CAPTURE(c.more);
    const auto found = faults_with(gateway + c.more);
    REQUIRE(found.size() == (c.fault.empty() ? 0 : 1));
    if (!c.fault.empty()) CHECK_THAT(found[0], Catch::Contains(c.fault));
}

TEST_CASE("what gateways share leaves the machine encrypted, or not by accident") {
    struct Case {
        std::string text, fault;  // "" for none
    };
    const auto c = GENERATE_COPY(values<Case>({
        {"url = \"rediss://redis.example.com\"\n", ""},
        {"url = \"redis://127.0.0.1:6379/3\"\n", ""},
        {"url = \"redis://[::1]\"\n", ""},
        {"url = \"redis://localhost\"\n", ""},
        {"url = \"redis://192.0.2.5\"\nplain = true\n", ""},
        {"url = \"redis://192.0.2.5\"\n", "cluster.url: would share who writes to whom unencrypted"},
        {"url = \"redis://a:b@127.0.0.1\"\n", "cluster.url: has a user or a password in it"},
        {"url = \"http://127.0.0.1\"\n", "cluster.url: begins neither with redis:// nor with rediss://"},
        {"url = \"redis://127.0.0.1/x\"\n", "cluster.url: has something else than the number of a database"},
        {"url = \"redis://127.0.0.1\"\nusername = \"u\"\n", "cluster.username: needs cluster.password_file"},
        {"url = \"redis://127.0.0.1\"\nname = \"m x\"\n", "cluster.name: \"m x\" is not a name"},
        {"url = \"redis://127.0.0.1\"\nprefix = \"\"\n", "cluster.prefix: \"\" is not a name"},
        {"name = \"mx1\"\n", "cluster.name: is of no use without cluster.url"},
    }));
    CAPTURE(c.text);
    const auto found = faults_with("[cluster]\n" + c.text);
    REQUIRE(found.size() == (c.fault.empty() ? 0 : 1));
    if (!c.fault.empty()) CHECK_THAT(found[0], Catch::Contains(c.fault));
}

TEST_CASE("what describes no mail, or the same mail twice, is a fault") {
    const std::string gateway = "[[gateway]]\nname = \"a\"\naddress = \"a.example\"\n";
    struct Case {
        std::string more, fault;
    };
    const auto c = GENERATE_COPY(values<Case>({
        {"[[route]]\ngateway = \"a\"\n", "postern.toml:14:1: route[0]: needs sender, recipient or both"},
        {"[[route]]\nsender = \"\"\ngateway = \"a\"\n", "is not a user"},
        {"[[route]]\nrecipient = \"x@y.example\"\ngateway = \"a\"\n", "is not a domain name"},
        {"[[route]]\nsender = \"x.example\"\ngateway = \"a\"\n[[route]]\nsender = \"X.example\"\ngateway = "
         "\"a\"\n",
         "postern.toml:18:10: route[1].sender: there is already a [[route]] for x.example"},
        {"[[route]]\nsender = \"*\"\nrecipient = \"x.example\"\ngateway = \"a\"\n[[route]]\nrecipient = "
         "\"x.example\"\ngateway = \"a\"\n",
         "route[1].recipient: there is already a [[route]] for everybody to x.example"},
        {"[[destination]]\ndomain = \"x.example\"\n[[destination]]\ndomain = \"X.example\"\n",
         "destination[1].domain: \"x.example\" is already used by another [[destination]]"},
        {"[[destination]]\ndomain = \"x.example\"\ntls = \"sometimes\"\n", "is not one of off"},
        {"[[egress]]\naddress = \"::1\"\n[[egress]]\naddress = \"0::1\"\n",
         "egress[1].address: \"::1\" is already used by another [[egress]]"},
        {"[[egress]]\naddress = \"[::1]\"\n", "is not an IP address"},
        {"[[egress]]\naddress = \"gw1.example.net\"\n", "is not an IP address"},
        {"[[egress]]\naddress = \"192.0.2.20\"\nhostname = \"a b\"\n", "is not a domain name"},
        {"[delivery]\nwarm_up = [0]\n", "delivery.warm_up: 0 is not in 1 to "},
        {"[delivery]\nwarm_up = [\"50\"]\n", "a list of whole numbers, as [1, 2] is expected here"},
        {"[delivery]\nblocklists = [\"zen spamhaus\"]\n", "is not a zone"},
        {"[delivery]\nreceivers = [\"*\"]\n", "is not the name of exchangers"},
        {"[delivery]\nreceivers = [\"*.com\"]\n", "is not the name of exchangers"},
        {"[delivery]\nreceivers = [\"*.a.*.example\"]\n", "is not the name of exchangers"},
        {"[delivery]\nreply_rules = \"rules.toml\"\n", "is not an absolute path"},
        {"[delivery]\ntls = \"dane\"\n", "is not one of off, opportunistic, required, verify"},
    }));
    CAPTURE(c.more);
    const auto found = faults_with(gateway + c.more);
    REQUIRE(found.size() == 1);
    CHECK_THAT(found[0], Catch::Contains(c.fault));
}

TEST_CASE("an egress address must be of this machine") {
    auto reading =
        parse_settings(sound + "[[egress]]\naddress = \"127.0.0.1\"\n[[egress]]\naddress = \"192.0.2.20\"\n");
    CHECK(lines(reading).empty());
    const auto found = egress_faults(reading);
    REQUIRE(found.size() == 1);
    CHECK_THAT(found[0].line("postern.toml"),
               Catch::Contains("egress[1].address: \"192.0.2.20\" is not an address of this machine"));
    CHECK(found[0].position.line == 14);
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
         "m, s, ms, right behind the number"},
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
        {"[[listener]]\naddress = \"0.0.0.0:2525\"\n",
         "postern.toml:12:11: listener[1].address: \"0.0.0.0:2525\" cannot be had beside the listener at "
         "127.0.0.1:2525"},
        {"[[listener]]\naddress = \"127.0.0.1:8025\"\n",
         "postern.toml:12:11: listener[1].address: \"127.0.0.1:8025\" cannot be had beside status.address, "
         "127.0.0.1:8025"},
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

TEST_CASE("an empty list of what is needed is as good as none") {
    const auto found = lines(parse_settings("listener = []\nprimary = []\nhostname = \"a.example\"\n"));
    REQUIRE(found.size() == 2);
    CHECK_THAT(found[0], Catch::Contains("listener: is missing: add [[listener]]"));
    CHECK_THAT(found[1], Catch::Contains("primary: is missing: add [[primary]]"));
    CHECK(faults_with("[delivery]\nblocklists = []\n").empty());
    CHECK(lines(parse_settings("egress = []\n" + sound)).empty());
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
