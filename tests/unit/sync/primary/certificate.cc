#include "tests/unit/sync/primary/certificate.h"

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include <cstdio>
#include <memory>
#include <stdexcept>

namespace postern::tests {

namespace {

void ensure(bool done) {
    if (!done) throw std::runtime_error("no certificate could be made");
}

void add_extension(X509* certificate, int kind, const std::string& value) {
    const std::unique_ptr<X509_EXTENSION, decltype(&X509_EXTENSION_free)> extension(
        X509V3_EXT_conf_nid(nullptr, nullptr, kind, value.c_str()), &X509_EXTENSION_free);
    ensure(extension != nullptr && X509_add_ext(certificate, extension.get(), -1) == 1);
}

template <class Write>
void to_file(const std::filesystem::path& path, Write&& write) {
    const std::unique_ptr<FILE, int (*)(FILE*)> file(std::fopen(path.c_str(), "w"), &std::fclose);
    ensure(file != nullptr && write(file.get()) == 1);
}

}  // namespace

void write_certificate(const std::filesystem::path& certificate, const std::filesystem::path& key,
                       const std::string& common_name, const std::string& alternative_name) {
    const std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)> pair(EVP_EC_gen("P-256"), &EVP_PKEY_free);
    const std::unique_ptr<X509, decltype(&X509_free)> x509(X509_new(), &X509_free);
    ensure(pair != nullptr && x509 != nullptr);
    X509_set_version(x509.get(), X509_VERSION_3);
    ASN1_INTEGER_set(X509_get_serialNumber(x509.get()), 1);
    X509_gmtime_adj(X509_getm_notBefore(x509.get()), -3600);
    X509_gmtime_adj(X509_getm_notAfter(x509.get()), 24 * 3600);
    X509_set_pubkey(x509.get(), pair.get());
    X509_NAME* name = X509_get_subject_name(x509.get());
    X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC,
                               reinterpret_cast<const unsigned char*>(common_name.c_str()), -1, -1, 0);
    X509_set_issuer_name(x509.get(), name);
    add_extension(x509.get(), NID_basic_constraints, "critical,CA:TRUE");
    if (!alternative_name.empty()) add_extension(x509.get(), NID_subject_alt_name, alternative_name);
    ensure(X509_sign(x509.get(), pair.get(), EVP_sha256()) > 0);
    to_file(certificate, [&](FILE* file) { return PEM_write_X509(file, x509.get()); });
    to_file(key, [&](FILE* file) {
        return PEM_write_PrivateKey(file, pair.get(), nullptr, nullptr, 0, nullptr, nullptr);
    });
}

}  // namespace postern::tests
