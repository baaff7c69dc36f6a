#include "agent/settings/environment.h"

#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <catch2/catch.hpp>
#include <cstdlib>
#include <fstream>

#include "agent/machine/sockets.h"
#include "tests/unit/sync/primary/certificate.h"

using namespace postern;
using namespace postern::agent;
using Catch::Contains;

namespace {

struct Place {
    std::filesystem::path path;
    Place() {
        std::string name = "/tmp/postern-environment-XXXXXX";
        path = mkdtemp(name.data());
        tests::write_certificate(path / "a.pem", path / "a.key", "gw1.example.net", "");
        tests::write_certificate(path / "b.pem", path / "b.key", "gw1.example.net", "");
        for (const auto* key : {"a.key", "b.key"}) chmod((path / key).c_str(), 0600);
        std::filesystem::create_directory(path / "state");
        std::ofstream(path / "junk") << "junk\n";
    }
    ~Place() { std::filesystem::remove_all(path); }
    std::string at(const char* name) const { return '"' + (path / name).string() + '"'; }

    /// Settings with which nothing is wrong, and `more` in place of what it names.
    std::string text(const std::string& state, const std::string& listener, const std::string& tls,
                     const std::string& primaries) const {
        return "hostname = \"gw1.example.net\"\nstate_dir = " + at(state.c_str()) +
               "\n[accept]\nsender = \"any\"\n[[listener]]\naddress = \"" + listener + "\"\n" + tls +
               (primaries.empty() ? "[[primary]]\nname = \"main\"\naddresses = [\"192.0.2.10\"]\n"
                                  : primaries);
    }
};

/// By the machine's clock, as the certificates of a test are.
const base::Time today = base::SystemClock().wall();

ParsedConfiguration looked_at(const std::string& text, const InUse& in_use = {}, base::Time now = today) {
    auto parsed = parse_settings(text);
    REQUIRE(parsed.faults.empty());
    check_environment(parsed, in_use, now);
    return parsed;
}

std::string lines(const std::vector<Fault>& faults) {
    std::string text;
    for (const auto& fault : faults) text += fault.line("p.toml") + '\n';
    return text;
}

}  // namespace

TEST_CASE("whatever a start would refuse is a fault with its place") {
    const Place place;
    const auto tls = [&](const char* certificate, const char* key) {
        return "[tls]\ncertificate = " + place.at(certificate) + "\nprivate_key = " + place.at(key) + '\n';
    };
    CHECK(lines(looked_at(place.text("state", "127.0.0.1:2599", tls("a.pem", "a.key"), "")).faults).empty());
    CHECK(lines(looked_at(place.text("not/there/yet", "127.0.0.1:2599", "", "")).faults).empty());

    const auto mixed = looked_at(place.text("state", "127.0.0.1:2599", tls("a.pem", "b.key"), "")).faults;
    CHECK_THAT(lines(mixed), Contains("tls.private_key"));
    REQUIRE(mixed.size() == 1);
    CHECK_FALSE(mixed[0].passing);
    CHECK(mixed[0].position.line != 0);
    CHECK_THAT(lines(looked_at(place.text("state", "127.0.0.1:2599", tls("junk", "a.key"), "")).faults),
               Contains("tls.certificate"));
    CHECK_THAT(lines(looked_at(place.text("state", "127.0.0.1:2599",
                                          "[tls]\nca_file = " + place.at("junk") + '\n', ""))
                         .faults),
               Contains("tls.ca_file"));
    CHECK_THAT(lines(looked_at(place.text("junk", "127.0.0.1:2599", "", "")).faults),
               Contains("state_dir") && Contains("is not a directory"));
    CHECK_THAT(lines(looked_at(place.text("junk/below", "127.0.0.1:2599", "", "")).faults),
               Contains("state_dir") && Contains("cannot be"));
    const auto elsewhere = looked_at(place.text("state", "192.0.2.99:2599", "", "")).faults;
    CHECK_THAT(lines(elsewhere),
               Contains("listener[0].address") && Contains("not an address of this machine"));
    REQUIRE(elsewhere.size() == 1);
    CHECK(elsewhere[0].passing);
}

TEST_CASE("what the account cannot use of the state is a fault where a start needs it") {
    if (geteuid() != 0) return;  // only root leaves such files
    const Place place;
    chmod(place.path.c_str(), 0755);
    const Account nobody{"nobody", 65534, 65534};
    const auto state = place.path / "state";
    const auto text = place.text("state", "127.0.0.1:2599", "", "");
    const auto look = [&] {
        auto parsed = parse_settings(text);
        REQUIRE(parsed.faults.empty());
        check_environment(parsed, {}, today, nobody);
        return parsed;
    };
    std::filesystem::create_directory(state / "spool");
    for (const auto& each : {state, state / "spool"}) CHECK(chown(each.c_str(), 65534, 65534) == 0);
    CHECK(lines(look().faults).empty());

    for (const auto* name : {"dnssec.state", "spool/checkpoint"}) {
        CAPTURE(name);
        std::ofstream(state / name) << "x";
        chmod((state / name).c_str(), 0600);
        CHECK(look().faults.empty());
        CHECK_THAT(lines(look().warnings), Contains(name) && Contains("chown -R nobody"));
        std::filesystem::remove(state / name);
    }
    for (const auto* name : {"egress.state", "overrides.json", "spool/checkpoint"}) {
        CAPTURE(name);
        std::filesystem::create_directory(state / name);
        CHECK(chown((state / name).c_str(), 65534, 65534) == 0);
        CHECK_THAT(lines(look().faults), Contains(name) && Contains("is no file"));
        std::filesystem::remove(state / name);
    }
    std::ofstream(state / "spool/content") << "x";
    CHECK(chown((state / "spool/content").c_str(), 65534, 65534) == 0);
    CHECK_THAT(lines(look().faults), Contains("spool/content is no folder"));
    std::filesystem::remove(state / "spool/content");

    for (const auto* name : {"lock", "overrides.json", "client-id",
                             "spool/0000000001-89abcdef01234567.segment", "spool/00000001.volume"}) {
        CAPTURE(name);
        std::ofstream(state / name) << "x";
        chmod((state / name).c_str(), 0600);
        const auto faults = look().faults;
        CHECK_THAT(lines(faults), Contains(name) && Contains("chown -R nobody"));
        REQUIRE(faults.size() == 1);
        CHECK(faults[0].passing);
        std::filesystem::remove(state / name);
    }
    std::ofstream(state / "srs.secret") << "short";
    CHECK(look().faults.empty());
    auto parsed = parse_settings("hostname = \"gw1.example.net\"\nstate_dir = " + place.at("state") +
                                 "\n[[listener]]\naddress = \"127.0.0.1:2599\"\n[[primary]]\nname = \"m\"\n"
                                 "addresses = [\"192.0.2.10\"]\n[accept]\nsender = \"any\"\n"
                                 "foreign_sender = \"rewrite\"\n");
    REQUIRE(parsed.faults.empty());
    check_environment(parsed, {}, today);
    CHECK_THAT(lines(parsed.faults), Contains("srs.secret") && Contains("16 to 4096 octets"));
}

TEST_CASE("a port in use is a fault, unless a gateway has it") {
    const Place place;
    const auto socket = bound_socket({"127.0.0.1", 0});
    REQUIRE(listen(socket.get(), 1) == 0);
    const auto address = "127.0.0.1:" + std::to_string(local_port(socket.get()));
    const auto text = place.text("state", address, "", "");
    CHECK_THAT(lines(looked_at(text).faults), Contains(address) && Contains("another mail server"));
    CHECK(looked_at(text, {{{"127.0.0.1", local_port(socket.get())}}, false}).faults.empty());
    CHECK(looked_at(text, {{}, true}).faults.empty());
}

TEST_CASE("a certificate that has ended is a warning, and one that ends within two weeks") {
    using std::chrono::days;
    const Place place;
    const auto text = place.text(
        "state", "127.0.0.1:2599",
        "[tls]\ncertificate = " + place.at("a.pem") + "\nprivate_key = " + place.at("a.key") + '\n', "");
    const auto warnings = [&](base::Time now) {
        const auto parsed = looked_at(text, {}, now);
        CHECK(parsed.faults.empty());
        return lines(parsed.warnings);
    };
    CHECK_THAT(warnings(today + days(2)), Contains("tls.certificate: has expired on"));  // it lasts for one
    CHECK_THAT(warnings(today), Contains("tls.certificate: expires on"));
    CHECK_THAT(warnings(today - days(12)), Contains("tls.certificate: expires on"));
    CHECK_THAT(warnings(today - days(14)), !Contains("expire"));
}

TEST_CASE("what gives everything away is a warning") {
    const Place place;
    const auto warnings = [&](const std::string& primaries, const std::string& more = "") {
        const auto parsed = looked_at(place.text("state", "127.0.0.1:2599", more, primaries));
        CHECK(parsed.faults.empty());
        return lines(parsed.warnings);
    };
    const auto primary = [](const std::string& name, const std::string& addresses) {
        return "[[primary]]\nname = \"" + name + "\"\naddresses = [" + addresses + "]\n";
    };
    CHECK(warnings(
              primary("a", R"("192.0.2.10", "10.0.0.0/8", "fd00::/8", "198.51.0.0/16", "2001:db9:1::/48")"))
              .empty());
    CHECK_THAT(warnings(primary("a", R"("0.0.0.0/0")")),
               Contains("p.toml:9:13: primary[0].addresses") && Contains("whole Internet"));
    CHECK_THAT(warnings(primary("a", R"("::/0")")), Contains("whole Internet"));
    CHECK_THAT(warnings(primary("a", R"("198.0.0.0/8")")), Contains("wide range"));
    CHECK_THAT(warnings(primary("a", R"("2000::/3")")), Contains("wide range"));
    CHECK_THAT(warnings(primary("a", R"("192.0.2.10")") + primary("b", R"("192.0.2.0/24")")),
               Contains("primary[1].addresses") && Contains("also of primary a"));

    std::ofstream(place.path / "token") << std::string(64, 'a') << '\n';
    const auto token = "[status]\ntoken_file = " + place.at("token") + '\n';
    const auto with_mode = [&](mode_t mode) {
        chmod((place.path / "token").c_str(), mode);
        return warnings("", token);
    };
    CHECK(with_mode(0600).empty());
    CHECK(with_mode(0640).empty());
    CHECK_THAT(with_mode(0644), Contains("status.token_file") && Contains("read by every account"));
    CHECK_THAT(with_mode(0660), Contains("changed by others"));
    CHECK_THAT(with_mode(0666), Contains("read by every account, and can be changed by others"));
}

TEST_CASE("a certificate that is for another name is a warning") {
    const Place place;
    tests::write_certificate(place.path / "other.pem", place.path / "other.key", "mail.example.net", "");
    chmod((place.path / "other.key").c_str(), 0600);
    const auto parsed = looked_at(place.text(
        "state", "127.0.0.1:2599",
        "[tls]\ncertificate = " + place.at("other.pem") + "\nprivate_key = " + place.at("other.key") + '\n',
        ""));
    CHECK(parsed.faults.empty());
    CHECK_THAT(lines(parsed.warnings), Contains("is not for gw1.example.net"));
}

TEST_CASE("what the account may not have is told with the account") {
    if (geteuid() != 0) return;  // root gives itself up here
    const Place place;
    chmod(place.path.c_str(), 0755);
    std::ofstream(place.path / "password") << "secret\n";
    chmod((place.path / "password").c_str(), 0600);
    auto parsed =
        parse_settings(place.text("state", "127.0.0.1:2599", "",
                                  "[[primary]]\nname = \"main\"\n"
                                  "addresses = [\"192.0.2.10\"]\nurl = "
                                  "\"https://mail.example.com\"\nusername = \"x\"\npassword_file = " +
                                      place.at("password") + '\n'));
    const auto account = find_account("nobody");
    REQUIRE(account);
    check_environment(parsed, {}, today, *account);
    CHECK_THAT(lines(parsed.faults),
               Contains("cannot be read by the account nobody: Permission denied; chown root:nobody") &&
                   Contains("cannot be used by nobody: Permission denied"));
}

TEST_CASE("a machine's name without a domain is a warning") {
    const Place place;
    auto parsed = looked_at(place.text("state", "127.0.0.1:2599", "", ""));
    CHECK(parsed.warnings.empty());
    parsed.settings.relay.hostname = "gw1";
    check_environment(parsed, {}, today);
    CHECK_THAT(lines(parsed.warnings), Contains("hostname") && Contains("not fully qualified"));
    parsed.warnings.clear();
    parsed.fault("log.hostname", "there is no such key here");
    check_environment(parsed, {}, today);
    CHECK_THAT(lines(parsed.warnings), !Contains("not fully qualified"));
}

TEST_CASE("keys of the root that cannot be had are a fault where they were named") {
    Place place;
    auto named = parse_settings(place.text("state", "127.0.0.1:2525", "", "") +
                                "[dns]\ntrust_anchors = \"/nonexistent/root.key\"\n");
    REQUIRE(named.faults.empty());
    check_files(named);
    REQUIRE(named.faults.size() == 1);
    CHECK_THAT(lines(named.faults), Contains("dns.trust_anchors") && Contains("dns-root-data"));
    auto unnamed = parse_settings(place.text("state", "127.0.0.1:2525", "", ""));
    unnamed.settings.relay.dns.trust_anchors = "/nonexistent/root.key";
    check_files(unnamed);
    CHECK(unnamed.faults.empty());
    CHECK_THAT(lines(unnamed.warnings), Contains("no DANE"));
}
