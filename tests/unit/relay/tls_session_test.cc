#include "relay/tls_reports/session.h"

#include <openssl/x509_vfy.h>

#include <catch2/catch.hpp>

using namespace postern::relay;

namespace {

TlsSession good() {
    TlsSession out;
    out.host = "mx1.dest.example";
    out.receiving = "192.0.2.20";
    out.sending = "192.0.2.1";
    out.offered = out.encrypted = true;
    return out;
}

TlsSession failed(long certificate) {
    TlsSession out = good();
    out.encrypted = false;
    out.certificate = certificate;
    out.why = "why";
    return out;
}

HostPolicy with(ClientTls tls, PolicyFault fault = PolicyFault::none) {
    HostPolicy out;
    out.tls = tls;
    out.fault = fault;
    return out;
}

HostPolicy sts(StsPolicy::Mode mode, PolicyFault fault = PolicyFault::none) {
    HostPolicy out =
        with(mode == StsPolicy::Mode::enforce ? ClientTls::verify : ClientTls::opportunistic, fault);
    out.testing = mode == StsPolicy::Mode::testing;
    out.sts = StsPolicy{mode, {"*.dest.example"}, std::chrono::seconds(86400)};
    return out;
}

HostPolicy dane() {
    HostPolicy out = with(ClientTls::dane);
    out.tlsa.push_back({3, 1, 1, std::string("\x01\xab", 2)});
    return out;
}

}  // namespace

TEST_CASE("what a session is called in a report", "[tls_reports]") {
    using Kind = ReportedPolicy::Kind;
    using Mode = StsPolicy::Mode;
    TlsSession clear = good(), unproven = good(), stranger = good();
    clear.offered = clear.encrypted = false;
    unproven.certificate = X509_V_ERR_HOSTNAME_MISMATCH;
    stranger.certificate = X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT;
    struct Case {
        HostPolicy policy;
        TlsSession session;
        Kind kind;
        std::string_view result;
    };
    const std::vector<Case> cases = {
        {with(ClientTls::opportunistic), good(), Kind::none, ""},
        {with(ClientTls::opportunistic), stranger, Kind::none, ""},
        {with(ClientTls::opportunistic), clear, Kind::none, "starttls-not-supported"},
        {with(ClientTls::opportunistic), failed(X509_V_OK), Kind::none, "validation-failure"},
        {with(ClientTls::required), unproven, Kind::none, ""},
        {with(ClientTls::verify), failed(X509_V_ERR_HOSTNAME_MISMATCH), Kind::none,
         "certificate-host-mismatch"},
        {sts(Mode::enforce), good(), Kind::sts, ""},
        {sts(Mode::enforce), clear, Kind::sts, "starttls-not-supported"},
        {sts(Mode::enforce), failed(X509_V_ERR_HOSTNAME_MISMATCH), Kind::sts, "certificate-host-mismatch"},
        {sts(Mode::enforce), failed(X509_V_ERR_CERT_HAS_EXPIRED), Kind::sts, "certificate-expired"},
        {sts(Mode::enforce), failed(X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN), Kind::sts,
         "certificate-not-trusted"},
        {sts(Mode::enforce), failed(X509_V_ERR_EE_KEY_TOO_SMALL), Kind::sts, "validation-failure"},
        {sts(Mode::enforce, PolicyFault::sts_not_listed), {}, Kind::sts, "validation-failure"},
        {sts(Mode::testing), good(), Kind::sts, ""},
        {sts(Mode::testing), unproven, Kind::sts, "certificate-host-mismatch"},
        {sts(Mode::testing), clear, Kind::sts, "starttls-not-supported"},
        {sts(Mode::testing, PolicyFault::sts_not_listed), good(), Kind::sts, "validation-failure"},
        {with(ClientTls::opportunistic, PolicyFault::sts_not_fetched), good(), Kind::sts,
         "sts-policy-fetch-error"},
        {with(ClientTls::opportunistic, PolicyFault::sts_invalid), good(), Kind::sts, "sts-policy-invalid"},
        {with(ClientTls::opportunistic, PolicyFault::sts_not_trusted), good(), Kind::sts,
         "sts-webpki-invalid"},
        {dane(), good(), Kind::tlsa, ""},
        {dane(), failed(X509_V_ERR_DANE_NO_MATCH), Kind::tlsa, "validation-failure"},
        {with(ClientTls::required, PolicyFault::tlsa_unusable), good(), Kind::tlsa, "tlsa-invalid"},
        {with(ClientTls::dane, PolicyFault::tlsa_not_found), {}, Kind::tlsa, "dnssec-invalid"},
        {with(ClientTls::dane, PolicyFault::dane_required), {}, Kind::tlsa, "dane-required"},
    };
    for (const auto& one : cases) {
        CAPTURE(one.policy.text(), static_cast<int>(one.policy.fault), one.session.certificate,
                one.session.encrypted);
        const auto judged = judge_session(one.policy, "dest.example", one.session);
        CHECK(judged.policy.kind == one.kind);
        CHECK(text_of(judged.result) == one.result);
    }
}

TEST_CASE("a report has the policy itself", "[tls_reports]") {
    const auto by_sts = judge_session(sts(StsPolicy::Mode::testing), "dest.example", good()).policy;
    CHECK(by_sts.domain == "dest.example");
    CHECK(by_sts.lines == std::vector<std::string>{"version: STSv1", "mode: testing", "mx: *.dest.example",
                                                   "max_age: 86400"});
    CHECK(by_sts.hosts == std::vector<std::string>{"*.dest.example"});
    const auto by_dane = judge_session(dane(), "dest.example", good()).policy;
    CHECK(by_dane.domain == "mx1.dest.example");
    CHECK(by_dane.lines == std::vector<std::string>{"3 1 1 01AB"});
}

TEST_CASE("each result has a name of its own", "[tls_reports]") {
    for (int n = 1; n <= static_cast<int>(TlsResult::sts_webpki_invalid); ++n) {
        const auto result = static_cast<TlsResult>(n);
        CHECK_FALSE(text_of(result).empty());
        CHECK(parse_tls_result(text_of(result)) == result);
    }
    CHECK_FALSE(parse_tls_result(""));
    CHECK_FALSE(parse_tls_result("no-such-thing"));
}
