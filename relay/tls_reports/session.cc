#include "relay/tls_reports/session.h"

#include <openssl/x509_vfy.h>

#include <algorithm>
#include <array>
#include <utility>

#include "sync/base/encoding.h"

namespace postern::relay {

namespace {

constexpr std::array results{
    std::pair(TlsResult::success, std::string_view()),
    std::pair(TlsResult::starttls_not_supported, std::string_view("starttls-not-supported")),
    std::pair(TlsResult::certificate_host_mismatch, std::string_view("certificate-host-mismatch")),
    std::pair(TlsResult::certificate_expired, std::string_view("certificate-expired")),
    std::pair(TlsResult::certificate_not_trusted, std::string_view("certificate-not-trusted")),
    std::pair(TlsResult::validation_failure, std::string_view("validation-failure")),
    std::pair(TlsResult::tlsa_invalid, std::string_view("tlsa-invalid")),
    std::pair(TlsResult::dnssec_invalid, std::string_view("dnssec-invalid")),
    std::pair(TlsResult::dane_required, std::string_view("dane-required")),
    std::pair(TlsResult::sts_policy_fetch_error, std::string_view("sts-policy-fetch-error")),
    std::pair(TlsResult::sts_policy_invalid, std::string_view("sts-policy-invalid")),
    std::pair(TlsResult::sts_webpki_invalid, std::string_view("sts-webpki-invalid")),
};

std::string_view mode_of(StsPolicy::Mode mode) {
    switch (mode) {
        case StsPolicy::Mode::none: return "none";
        case StsPolicy::Mode::testing: return "testing";
        case StsPolicy::Mode::enforce: return "enforce";
    }
    return {};
}

bool about_sts(PolicyFault fault) {
    return fault == PolicyFault::sts_not_fetched || fault == PolicyFault::sts_invalid ||
           fault == PolicyFault::sts_not_trusted || fault == PolicyFault::sts_not_listed;
}

bool about_tlsa(PolicyFault fault) {
    return fault == PolicyFault::tlsa_unusable || fault == PolicyFault::tlsa_not_found ||
           fault == PolicyFault::dane_required;
}

ReportedPolicy reported(const HostPolicy& policy, const std::string& domain, const std::string& host) {
    ReportedPolicy out;
    out.domain = domain;
    if (!policy.tlsa.empty() || about_tlsa(policy.fault)) {
        out.kind = ReportedPolicy::Kind::tlsa;
        out.domain = host;
        for (const auto& one : policy.tlsa)
            out.lines.push_back(std::to_string(one.usage) + ' ' + std::to_string(one.selector) + ' ' +
                                std::to_string(one.matching) + ' ' + base::hex(one.data, base::upper_hex));
        return out;
    }
    if (!policy.sts && !about_sts(policy.fault)) return out;
    out.kind = ReportedPolicy::Kind::sts;
    if (!policy.sts) return out;
    out.hosts = policy.sts->patterns;
    out.lines = {"version: STSv1", "mode: " + std::string(mode_of(policy.sts->mode))};
    for (const auto& pattern : policy.sts->patterns) out.lines.push_back("mx: " + pattern);
    out.lines.push_back("max_age: " + std::to_string(policy.sts->max_age.count()));
    return out;
}

TlsResult of_policy(PolicyFault fault) {
    switch (fault) {
        case PolicyFault::none: break;
        case PolicyFault::sts_not_fetched: return TlsResult::sts_policy_fetch_error;
        case PolicyFault::sts_invalid: return TlsResult::sts_policy_invalid;
        case PolicyFault::sts_not_trusted: return TlsResult::sts_webpki_invalid;
        case PolicyFault::sts_not_listed: return TlsResult::validation_failure;
        case PolicyFault::tlsa_unusable: return TlsResult::tlsa_invalid;
        case PolicyFault::tlsa_not_found: return TlsResult::dnssec_invalid;
        case PolicyFault::dane_required: return TlsResult::dane_required;
    }
    return TlsResult::success;
}

TlsResult of_certificate(long fault) {
    switch (fault) {
        case X509_V_ERR_CERT_HAS_EXPIRED:
        case X509_V_ERR_CERT_NOT_YET_VALID: return TlsResult::certificate_expired;
        case X509_V_ERR_HOSTNAME_MISMATCH:
        case X509_V_ERR_IP_ADDRESS_MISMATCH: return TlsResult::certificate_host_mismatch;
        case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
        case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
        case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
        case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
        case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
        case X509_V_ERR_CERT_UNTRUSTED:
        case X509_V_ERR_CERT_CHAIN_TOO_LONG: return TlsResult::certificate_not_trusted;
        default: return TlsResult::validation_failure;
    }
}

/// Whether somebody wants more of the certificate than that there is one.
bool looks_at_certificate(const HostPolicy& policy) {
    switch (policy.tls) {
        case ClientTls::off:
        case ClientTls::opportunistic:
        case ClientTls::required: break;
        case ClientTls::verify:
        case ClientTls::dane:
        case ClientTls::implicit: return true;
    }
    return policy.testing;
}

}  // namespace

std::string_view text_of(TlsResult result) {
    for (const auto& [one, text] : results)
        if (one == result) return text;
    return {};
}

std::optional<TlsResult> parse_tls_result(std::string_view text) {
    for (const auto& [one, name] : results)
        if (!name.empty() && name == text) return one;
    return std::nullopt;
}

std::string_view text_of(ReportedPolicy::Kind kind) {
    switch (kind) {
        case ReportedPolicy::Kind::none: return "no-policy-found";
        case ReportedPolicy::Kind::sts: return "sts";
        case ReportedPolicy::Kind::tlsa: return "tlsa";
    }
    return {};
}

JudgedSession judge_session(const HostPolicy& policy, const std::string& domain, const TlsSession& session) {
    JudgedSession out;
    out.policy = reported(policy, domain, session.host);
    out.result = of_policy(policy.fault);
    if (out.result != TlsResult::success) {
        if (policy.fault == PolicyFault::sts_not_listed)
            out.reason = session.host + " is not in the policy";
        else
            out.reason = policy.barred;
    } else if (!session.encrypted) {
        out.reason = session.why;
        if (!session.offered)
            out.result = TlsResult::starttls_not_supported;
        else if (session.certificate != X509_V_OK)
            out.result = of_certificate(session.certificate);
        else
            out.result = TlsResult::validation_failure;
    } else if (session.certificate != X509_V_OK && looks_at_certificate(policy)) {
        out.result = of_certificate(session.certificate);
        out.reason = X509_verify_cert_error_string(session.certificate);
    }
    return out;
}

}  // namespace postern::relay
