#include "agent/settings/fault_words.h"
#include "agent/settings/environment.h"

#include <catch2/catch.hpp>

using namespace postern::agent;

namespace {

/// The lines of all faults of a file.
std::vector<std::string> faults_of(const std::string& text) {
    std::vector<std::string> result;
    for (const auto& fault : parse_settings(text).faults) result.push_back(fault.line("postern.toml"));
    return result;
}

const std::string sound =
    "hostname = \"gw1.example.net\"\n[accept]\nsender = \"any\"\n[[listener]]\naddress = "
    "\"127.0.0.1:2525\"\n"
    "[[primary]]\nname = \"main\"\naddresses = [\"192.0.2.10\"]\n";

std::vector<std::string> faults_with(const std::string& more) { return faults_of(sound + more); }

}  // namespace

TEST_CASE("what people write wrong is answered with what to write") {
    struct Case {
        std::string more, line;
    };
    const auto c = GENERATE(values<Case>({
        {"[log]\nformat = text\n", "postern.toml:10:11: text needs quotes, as name = \"text\""},
        {"[log]\nformat = json\n", "postern.toml:10:10: text needs quotes, as name = \"text\""},
        {"[log]\nformat = \u201cjson\u201d\n",
         "postern.toml:10:10: typographic quotes; text stands in plain ones, as \"text\""},
        {"[[gateway]]\nname = \"a\"\naddress = \"[smtp.example]:587\"\n",
         "postern.toml:11:11: gateway[0].address: \"[smtp.example]:587\": brackets are for IPv6 addresses; a "
         "name or an IPv4 address is written without, as in \"host:25\""},
        {"password = \"x\"\n",
         "postern.toml:9:1: primary[0].password: there is no such key: it stands in a file, named by "
         "password_file"},
        {"[log]\nstate_dir = \"/var\"\n",
         "postern.toml:10:1: log.state_dir: there is no such key here; it belongs above the first [section]"},
        {"[delivery]\nretry_first = \"1m\"\n",
         "postern.toml:10:1: delivery.retry_first: there is no such key here; it belongs in [queue]"},
    }));
    CHECK(faults_with(c.more) == std::vector<std::string>{c.line});
}

TEST_CASE("a password in an address is neither taken nor shown") {
    const auto found = faults_with(
        "url = \"https://gateway:secret@mail.example\"\nusername = \"a\"\npassword_file = \"/p\"\n");
    CHECK(found == std::vector<std::string>{"postern.toml:9:7: primary[0].url: names a user before the "
                                            "\"@\": give username and password_file instead"});
}

TEST_CASE("a primary that is asked by RCPT has its domains named, and no account") {
    const std::string smtp = "api = \"smtp\"\nurl = \"smtp://mail.example:25\"\n";
    CHECK(faults_with(smtp + "domains = [\"a.example\"]\n").empty());
    const auto fault = [&](const std::string& more) {
        const auto found = faults_with(more);
        return found.size() == 1 ? found[0] : std::to_string(found.size()) + " faults";
    };
    CHECK(fault(smtp) ==
          "postern.toml:6:1: primary[0].domains: is missing: api = \"smtp\" cannot list what the primary "
          "has, so "
          "name its domains here, as [\"example.com\"]");
    CHECK_THAT(fault(smtp + "domains = [\"*\"]\n"),
               Catch::StartsWith("postern.toml:11:11: primary[0].domains: must name them: "));
    CHECK(fault(smtp + "domains = [\"a.example\"]\nusername = \"x\"\n") ==
          "postern.toml:12:12: primary[0].username: is of no use where api is \"smtp\": leave it out");
    CHECK(fault("url = \"smtp://mail.example\"\nusername = \"x\"\npassword_file = \"/p\"\n") ==
          "postern.toml:9:7: primary[0].url: \"smtp://mail.example\" is not a web address such as "
          "\"https://mail.example.com\"; for such a url set api = \"smtp\"");
    CHECK(
        fault("api = \"smtp\"\nurl = \"https://mail.example\"\ndomains = [\"a.example\"]\n") ==
        "postern.toml:10:7: primary[0].url: \"https://mail.example\" is not a mail server's address such as "
        "\"smtp://mail.example.com:25\"; for such a url set api = \"auto\"");
}

TEST_CASE("one fault of a key does not bring a second one along") {
    CHECK(faults_of("state_dir = \"var\"\n" + sound) ==
          std::vector<std::string>{"postern.toml:1:13: state_dir: \"var\" is not an absolute path"});
    const auto addresses = faults_of(
        "hostname = \"gw1.example.net\"\n[accept]\nsender = \"any\"\n[[listener]]\naddress = "
        "\"127.0.0.1:2525\"\n[[primary]]\nname = \"main\"\naddresses = [\"mail.example\"]\n");
    REQUIRE(addresses.size() == 1);
    CHECK_THAT(addresses[0], Catch::Contains("is not an IP address or a range"));
    const auto wrong = parse_settings(sound + "[[egress]]\naddress = \"192.0.2.20/24\"\n");
    CHECK(wrong.faults.size() == 1);
    CHECK(egress_faults(wrong).empty());
}

TEST_CASE("an address is no host name") {
    CHECK(faults_of("hostname = \"192.0.2.5\"\n" + sound.substr(sound.find('\n') + 1)) ==
          std::vector<std::string>{
              "postern.toml:1:12: hostname: \"192.0.2.5\" is an address; a host name is needed"});
}
