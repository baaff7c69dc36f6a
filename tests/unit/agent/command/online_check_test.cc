#include "agent/command/online_check.h"

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

#include "agent/status/views.h"

using namespace postern;
using namespace postern::agent;
using Result = relay::Finding::Result;

TEST_CASE("what trying it out shows is a table, with what to do under it") {
    const std::vector<relay::Finding> findings{
        {"dns", Result::ok, "answers", ""},
        {"egress 192.0.2.20", Result::warning, "no reverse name", "ask who gave you the address for one"},
        {"gateway archive", Result::failed, "535 5.7.8 \x1b no", "correct username or password_file"}};
    const FindingTable table({"dns", "egress 192.0.2.20", "gateway archive"});
    CHECK(table.heading() == "WHAT               RESULT   SEEN\n");
    CHECK(table.line(findings[0]) == "dns                ok       answers\n");
    CHECK(table.line(findings[1]) == "egress 192.0.2.20  warning  no reverse name\n");
    CHECK(table.line(findings[2]) == "gateway archive    FAILED   535 5.7.8 \\x1b no\n");
    CHECK(table.line({"blocklist a.long.zone.example", Result::ok, "x", ""}) ==
          "blocklist a.long.zone.example  ok       x\n");
    CHECK(what_to_do(findings) ==
          "\nwhat to do\n"
          "  egress 192.0.2.20: ask who gave you the address for one\n"
          "  gateway archive: correct username or password_file\n");
    CHECK_FALSE(all_right(findings));
    CHECK(all_right({findings[0], findings[1]}));
    CHECK(what_to_do({findings[0]}).empty());
    CHECK(trying({"dns", "egress 192.0.2.20", "egress 192.0.2.20"}) ==
          "trying, at most 30 seconds: dns, egress 192.0.2.20\n");
}

TEST_CASE("faults and findings as JSON") {
    ParsedConfiguration parsed;
    parsed.faults = {{{3, 1}, "delivery", "x", "/etc/rules.toml"}};
    parsed.warnings = {{{1, 1}, "hostname", "y"}};
    const auto view = check_view("/etc/postern.toml", parsed, {{"dns", Result::failed, "silent", "ask"}});
    CHECK(view["warnings"][0]["key"] == "hostname");
    CHECK(view["ok"] == false);
    CHECK(view["faults"][0]["file"] == "/etc/rules.toml");
    CHECK(view["findings"][0]["result"] == "failed");
    CHECK(check_view("/etc/postern.toml", {}, {})["ok"] == true);
}
