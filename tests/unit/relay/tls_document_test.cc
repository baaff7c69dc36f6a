#include "relay/tls_reports/document.h"

#include <catch2/catch.hpp>

#include "relay/tls_reports/letter.h"
#include "sync/base/encoding.h"

using namespace postern::relay;
using namespace std::chrono_literals;

namespace {

const Time midnight = std::chrono::sys_days(std::chrono::year(2026) / 11 / 27);
const ReportSender sender{"Company", "tls@company.example", "company.example"};

TlsPeriod period() {
    TlsPeriod out;
    out.begin = midnight;
    out.end = midnight + 24h;
    PolicySessions one;
    one.policy.kind = ReportedPolicy::Kind::sts;
    one.policy.domain = "dest.example";
    one.policy.lines = {"version: STSv1", "mode: enforce"};
    one.policy.hosts = {"*.dest.example"};
    one.successful = 7;
    one.failed = 2;
    one.failures.push_back({TlsResult::certificate_expired, "192.0.2.1", "mx1.dest.example", "", "192.0.2.20",
                            "it said \"no\\\n\x01\xff", 2});
    out.policies.push_back(one);
    PolicySessions other;
    other.policy.domain = "dest.example";
    other.successful = 1;
    out.policies.push_back(other);
    return out;
}

}  // namespace

TEST_CASE("a report is the JSON of RFC 8460", "[tls_reports]") {
    CHECK(
        report_json("dest.example", period(), sender) ==
        R"({"organization-name":"Company","date-range":{"start-datetime":"2026-11-27T00:00:00Z",)"
        R"("end-datetime":"2026-11-27T23:59:59Z"},"contact-info":"tls@company.example",)"
        R"("report-id":"1795737600-1795823999.dest.example@company.example","policies":[)"
        R"({"policy":{"policy-type":"sts","policy-string":["version: STSv1","mode: enforce"],)"
        R"("policy-domain":"dest.example","mx-host":["*.dest.example"]},)"
        R"("summary":{"total-successful-session-count":7,"total-failure-session-count":2},)"
        R"("failure-details":[{"result-type":"certificate-expired","sending-mta-ip":"192.0.2.1",)"
        R"("receiving-mx-hostname":"mx1.dest.example","receiving-ip":"192.0.2.20","failed-session-count":2,)"
        R"("failure-reason-code":"it said \"no\\\u000a\u0001?"}]},)"
        R"({"policy":{"policy-type":"no-policy-found","policy-domain":"dest.example"},)"
        R"("summary":{"total-successful-session-count":1,"total-failure-session-count":0}}]})");
    CHECK(report_file_name("dest.example", period(), sender) ==
          "company.example!dest.example!1795737600!1795823999.json.gz");
}

TEST_CASE("a report as a mail", "[tls_reports]") {
    const Message mail = make_letter("gw1.company.example", {"tls", "company.example"},
                                     {{"a", "dest.example"}, {"b", "else.example"}}, "dest.example", period(),
                                     sender, MessageId{1795824000000000ull << 8}, midnight + 26h);
    CHECK(mail.envelope.reverse_path.text() == "tls@company.example");
    CHECK(mail.envelope.forward_paths.size() == 2);
    CHECK(mail.envelope.tls_optional);
    CHECK_FALSE(mail.envelope.options_of(1).notify.wants_failure());
    CHECK_FALSE(mail.envelope.options_of(1).notify.wants_delay());
    const std::string& text = *mail.content.bytes;
    for (const char* field :
         {"From: <tls@company.example>\r\n", "To: <a@dest.example>,\r\n\t<b@else.example>\r\n",
          "TLS-Report-Domain: dest.example\r\n", "TLS-Report-Submitter: company.example\r\n",
          "TLS-Required: No\r\n", "Auto-Submitted: auto-generated\r\n",
          "multipart/report; report-type=\"tlsrpt\";", "Content-Type: application/tlsrpt+gzip\r\n",
          "filename=\"company.example!dest.example!1795737600!1795823999.json.gz\"",
          "Subject: Report Domain: dest.example\r\n Submitter: company.example\r\n Report-ID: "
          "<1795737600-"}) {
        CAPTURE(field);
        CHECK(text.find(field) != std::string::npos);
    }
    for (std::size_t at = 0; at < text.size();) {
        const std::size_t end = text.find("\r\n", at);
        REQUIRE(end != std::string::npos);
        CHECK(end - at <= 998);
        at = end + 2;
    }
}

TEST_CASE("the largest report is kept with its record", "[tls_reports]") {
    TlsCounts counts;
    JudgedSession judged;
    judged.policy.kind = ReportedPolicy::Kind::sts;
    judged.policy.domain = "dest.example";
    judged.result = TlsResult::validation_failure;
    std::uint64_t sum = 1;
    const auto noise = [&sum](std::size_t size) {
        std::string out;
        while (out.size() < size)
            out += std::to_string(sum = sum * 6364136223846793005u + 1442695040888963407u);
        return out;
    };
    for (int n = 0; n < 200; ++n) judged.policy.lines.push_back(noise(400));
    for (int n = 0; n < 200; ++n) {
        TlsSession session;
        session.host = noise(400);
        session.helo = noise(400);
        judged.policy.domain = n % 40 == 0 ? noise(100) : judged.policy.domain;
        counts.add("dest.example", judged, session, midnight + 1h);
    }
    const TlsPeriod* found = counts.find({"dest.example", midnight});
    REQUIRE(found != nullptr);
    const Message mail =
        make_letter("gw1.company.example", {"tls", "company.example"}, {{"a", "dest.example"}},
                    "dest.example", *found, sender, MessageId{1}, midnight + 26h);
    CHECK(mail.content.size > 20'000);
    CHECK(mail.content.size <= 256 << 10);
}
