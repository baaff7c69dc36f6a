#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

#include "agent/status/endpoints.h"
#include "tests/unit/agent/status/fake_control.h"

using namespace postern;
using namespace postern::agent;
using nlohmann::json;

namespace {

const base::Time noon = std::chrono::sys_days(std::chrono::year(2026) / 11 / 27) + std::chrono::hours(12);

Answer ask(FakeControl& fake, const std::string& method, const std::string& path, bool authorised = true) {
    return respond(fake.control(), {method, path, {}, authorised, "root"});
}

std::string shown(const json& answer) {
    for (const auto& each : endpoints())
        if (each.words == "tls-reports list") return each.present(answer, {}, noon);
    return {};
}

}  // namespace

TEST_CASE("what is counted for reports about TLS is listed") {
    FakeControl fake;
    CHECK(shown(json::parse(ask(fake, "GET", "/v1/tls-reports", false).body)) ==
          "nothing is counted; see [tls_reports] in the configuration file\n");
    relay::TlsReportView one;
    one.domain = "dest.example";
    one.begin = noon - std::chrono::hours(12);
    one.end = noon + std::chrono::hours(12);
    one.due = noon + std::chrono::hours(14);
    one.successful = 7;
    one.failed = 2;
    one.state = "counted";
    relay::TlsReportView other = one;
    other.domain = "other.example";
    other.state = "given up";
    other.trouble = "no\x1b way";
    fake.counted_tls = {one, other};
    CHECK(shown(json::parse(ask(fake, "GET", "/v1/tls-reports", false).body)) ==
          "DOMAIN         SINCE     SUCCESSFUL  FAILED  STATE     DUE\n"
          "dest.example   12 h ago  7           2       counted   in 14 h\n"
          "other.example  12 h ago  7           2       given up\n"
          "other.example: no\\x1b way\n");
}

TEST_CASE("a report about TLS is sent early for operators") {
    FakeControl fake;
    CHECK(ask(fake, "POST", "/v1/tls-reports/dest.example/send", false).status == 401);
    CHECK(fake.asked.empty());
    CHECK(ask(fake, "POST", "/v1/tls-reports/Dest.Example/send").status == 200);
    CHECK(fake.asked == "tls report to dest.example");
    CHECK(fake.told == "root: TLS report of dest.example sent before its time");
    CHECK(ask(fake, "POST", "/v1/tls-reports/nothing.example/send").status == 404);
    CHECK(ask(fake, "POST", "/v1/tls-reports/no domain/send").status == 400);
}
