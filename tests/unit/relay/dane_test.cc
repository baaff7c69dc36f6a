#include "relay/security/dane.h"

#include <openssl/evp.h>
#include <openssl/x509.h>

#include <catch2/catch.hpp>
#include <memory>

using namespace postern::relay;
using net::Lookup;
using net::TlsaRecord;

namespace {

const std::string sha256(32, 'a'), sha512(64, 'b');

net::AddressAnswer secure_addresses(const std::string& canonical = "mx.example") {
    net::AddressAnswer answer;
    answer.status = Lookup::found;
    answer.secure = true;
    answer.canonical = canonical;
    return answer;
}

net::TlsaAnswer found(std::vector<TlsaRecord> records, bool secure = true) {
    net::TlsaAnswer answer;
    answer.status = Lookup::found;
    answer.records = std::move(records);
    answer.secure = secure;
    return answer;
}

HostPolicy base(ClientTls tls = ClientTls::opportunistic) {
    HostPolicy policy;
    policy.tls = tls;
    policy.origin = "delivery.tls";
    return policy;
}

HostPolicy with(const net::TlsaAnswer& tlsa, bool mx_secure = true, HostPolicy from = base()) {
    return dane_policy(std::move(from), "mx.example", "example", mx_secure, secure_addresses(), tlsa);
}

std::string public_key() {
    const std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)> pair(EVP_EC_gen("P-256"), &EVP_PKEY_free);
    unsigned char* out = nullptr;
    const int length = i2d_PUBKEY(pair.get(), &out);
    std::string der(reinterpret_cast<const char*>(out), static_cast<std::size_t>(length));
    OPENSSL_free(out);
    return der;
}

}  // namespace

TEST_CASE("TLSA records that can be used for SMTP", "[dane]") {
    for (std::uint8_t usage = 2; usage <= 3; ++usage)
        for (std::uint8_t selector = 0; selector <= 1; ++selector) {
            CHECK(usable(TlsaRecord{usage, selector, 1, sha256}));
            CHECK(usable(TlsaRecord{usage, selector, 2, sha512}));
            CHECK_FALSE(usable(TlsaRecord{usage, selector, 1, sha512}));
            CHECK_FALSE(usable(TlsaRecord{usage, selector, 2, sha256}));
            CHECK_FALSE(usable(TlsaRecord{usage, selector, 1, ""}));
            CHECK_FALSE(usable(TlsaRecord{usage, selector, 3, sha256}));
            CHECK_FALSE(usable(TlsaRecord{usage, selector, 0, sha256}));
            CHECK_FALSE(usable(TlsaRecord{usage, selector, 0, ""}));
        }
    for (std::uint8_t usage : std::vector<std::uint8_t>{0, 1, 4, 255})
        CHECK_FALSE(usable(TlsaRecord{usage, 1, 1, sha256}));
    for (std::uint8_t selector : std::vector<std::uint8_t>{2, 255})
        CHECK_FALSE(usable(TlsaRecord{3, selector, 1, sha256}));
}

TEST_CASE("a TLSA record with a whole key", "[dane]") {
    const std::string key = public_key();
    CHECK(usable(TlsaRecord{3, 1, 0, key}));
    CHECK_FALSE(usable(TlsaRecord{3, 0, 0, key}));
    CHECK_FALSE(usable(TlsaRecord{3, 1, 0, key + '\0'}));
    CHECK_FALSE(usable(TlsaRecord{3, 1, 0, key.substr(0, key.size() - 1)}));
}

TEST_CASE("proven TLSA records ask for DANE, whatever else is wanted", "[dane]") {
    const TlsaRecord good{3, 1, 1, sha256}, bad{1, 1, 1, sha256};
    for (ClientTls tls : {ClientTls::opportunistic, ClientTls::required, ClientTls::verify}) {
        HostPolicy from = base(tls);
        from.testing = true;
        from.names = {"other.example"};
        const HostPolicy policy = with(found({bad, good}), true, from);
        CHECK(policy.tls == ClientTls::dane);
        CHECK(policy.tlsa == std::vector<TlsaRecord>{good});
        CHECK(policy.barred.empty());
        CHECK_FALSE(policy.testing);
        CHECK(policy.text() == "dane (DANE)");
    }
}

TEST_CASE("names a certificate below a trust anchor may have", "[dane]") {
    const auto tlsa = found({TlsaRecord{2, 0, 1, sha256}});
    CHECK(with(tlsa).names == std::vector<std::string>{"mx.example", "example"});
    // Whoever forges MX records does not choose the name by which he is recognised.
    CHECK(with(tlsa, false).names == std::vector<std::string>{"mx.example"});
    CHECK(dane_policy(base(), "mx.example", "example", true, secure_addresses("real.example"), tlsa).names ==
          std::vector<std::string>{"mx.example", "real.example", "example"});
    CHECK(dane_policy(base(), "mx.example", "", true, secure_addresses(), tlsa).names ==
          std::vector<std::string>{"mx.example"});
}

TEST_CASE("proven TLSA records that cannot be used ask for TLS all the same", "[dane]") {
    const auto tlsa = found({TlsaRecord{0, 0, 1, sha256}, TlsaRecord{3, 1, 1, "short"}});
    CHECK(with(tlsa).tls == ClientTls::required);
    CHECK(with(tlsa).tlsa.empty());
    HostPolicy testing = base();
    testing.testing = true;
    CHECK_FALSE(with(tlsa, true, testing).testing);
    for (const auto tls : {ClientTls::verify, ClientTls::required}) {
        HostPolicy same = base(tls);
        same.fault = PolicyFault::tlsa_unusable;  // which is told
        CHECK(with(tlsa, true, base(tls)) == same);
    }
}

TEST_CASE("without proof or records nothing changes", "[dane]") {
    const TlsaRecord good{3, 1, 1, sha256};
    CHECK(with(found({good}, false)) == base());
    for (Lookup absent : {Lookup::no_data, Lookup::no_name})
        for (bool secure : {true, false}) {
            net::TlsaAnswer tlsa;
            tlsa.status = absent;
            tlsa.secure = secure;
            CHECK(with(tlsa) == base());
        }
    net::AddressAnswer unproven = secure_addresses("elsewhere.example");
    unproven.secure = false;
    CHECK(dane_policy(base(), "mx.example", "example", true, unproven, found({good})) == base());
    SECTION("nobody knows whether its alias is proven") {
        unproven.alias_why = "no answer";
        net::TlsaAnswer tlsa;
        tlsa.why = "no answer";
        CHECK_FALSE(dane_policy(base(), "mx.example", "example", true, unproven, tlsa).barred.empty());
    }
    SECTION("a proven alias is enough, but not for the name it leads to") {
        unproven.alias_secure = true;
        const auto policy = dane_policy(base(), "mx.example", "example", true, unproven, found({good}));
        CHECK(policy.tls == ClientTls::dane);
        CHECK(policy.names == std::vector<std::string>{"mx.example", "example"});
    }
}

TEST_CASE("TLSA records that cannot be looked up bar the host", "[dane]") {
    net::TlsaAnswer tlsa;
    tlsa.status = Lookup::transient;
    tlsa.why = "DNSSEC validation failed";
    tlsa.records = {TlsaRecord{3, 1, 1, sha256}};
    const HostPolicy policy = with(tlsa);
    CHECK(policy.barred.find("mx.example") != std::string::npos);
    CHECK(policy.barred.find("DNSSEC validation failed") != std::string::npos);
    CHECK(policy.tlsa.empty());
    CHECK(policy.tls == ClientTls::dane);
}
