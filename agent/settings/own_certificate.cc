#include "agent/settings/own_certificate.h"

#include <openssl/x509v3.h>

#include <ctime>
#include <memory>

#include "sync/base/time_text.h"

namespace postern::agent {
namespace {

constexpr int soon = 14 * 24 * 3600;  // before it ends
constexpr std::size_t names_shown = 5;

std::string day(const ASN1_TIME* time) {
    std::tm parts{};
    if (ASN1_TIME_to_tm(time, &parts) != 1) return "a day that cannot be read";
    return base::iso_day(parts);
}

std::string names_of(const X509* certificate) {
    const std::unique_ptr<GENERAL_NAMES, void (*)(GENERAL_NAMES*)> names(
        static_cast<GENERAL_NAMES*>(X509_get_ext_d2i(certificate, NID_subject_alt_name, nullptr, nullptr)),
        &GENERAL_NAMES_free);
    std::string text;
    std::size_t count = 0;
    for (int i = 0; names && i < sk_GENERAL_NAME_num(names.get()); ++i) {
        const GENERAL_NAME* name = sk_GENERAL_NAME_value(names.get(), i);
        if (name->type != GEN_DNS || ++count > names_shown) continue;
        const ASN1_IA5STRING* value = name->d.dNSName;
        text.append(text.empty() ? "" : ", ")
            .append(reinterpret_cast<const char*>(ASN1_STRING_get0_data(value)),
                    static_cast<std::size_t>(ASN1_STRING_length(value)));
    }
    return count > names_shown ? text + " and " + std::to_string(count - names_shown) + " more" : text;
}

}  // namespace

OwnCertificate own_certificate(const SSL_CTX* context, const std::string& hostname, base::Time now) {
    OwnCertificate own;
    X509* certificate = SSL_CTX_get0_certificate(context);
    if (certificate == nullptr) return own;
    own.names = names_of(certificate);
    const ASN1_TIME* end = X509_get0_notAfter(certificate);
    own.ends = day(end);
    std::time_t then = std::chrono::system_clock::to_time_t(now);
    if (X509_cmp_time(end, &then) < 0) {
        own.troubles.push_back("has expired on " + own.ends + ": renew it");
    } else {
        then += soon;
        if (X509_cmp_time(end, &then) < 0)
            own.troubles.push_back("expires on " + own.ends + ": is it renewed by itself?");
    }
    if (X509_check_host(certificate, hostname.data(), hostname.size(), X509_CHECK_FLAG_NEVER_CHECK_SUBJECT,
                        nullptr) != 1)
        own.troubles.push_back("is not for " + hostname + " but for " +
                               (own.names.empty() ? "no host name" : own.names) +
                               ": who verifies it will not send mail here");
    return own;
}

}  // namespace postern::agent
