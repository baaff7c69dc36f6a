#include "relay/security/dane.h"

#include <openssl/x509.h>

#include <algorithm>
#include <memory>

namespace postern::relay {

namespace {

/// Whether the octets are exactly one certificate (selector 0) or one public key (selector 1) in DER.
bool is_whole(std::uint8_t selector, const std::string& data) {
    const auto* begin = reinterpret_cast<const unsigned char*>(data.data());
    const unsigned char* at = begin;
    auto length = static_cast<long>(data.size());
    bool read = false;
    if (selector == 0) {
        std::unique_ptr<X509, decltype(&X509_free)> certificate(d2i_X509(nullptr, &at, length), &X509_free);
        read = certificate != nullptr;
    } else {
        std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)> key(d2i_PUBKEY(nullptr, &at, length),
                                                                &EVP_PKEY_free);
        read = key != nullptr;
    }
    return read && at == begin + length;
}

void add_name(std::vector<std::string>& names, const std::string& name) {
    if (!name.empty() && std::find(names.begin(), names.end(), name) == names.end()) names.push_back(name);
}

}  // namespace

net::awaitable<net::TlsaAnswer> find_tlsa(net::Resolver& resolver, std::string host, std::uint16_t port,
                                          net::AddressAnswer addresses) {
    net::TlsaAnswer answer;
    if (!addresses.alias_why.empty()) {
        // Otherwise whoever suppresses that one answer would switch DANE off (RFC 7672 §2.2.2).
        answer.why = "whether its alias is proven cannot be looked up: " + addresses.alias_why;
        co_return answer;
    }
    if (!addresses.secure && !addresses.alias_secure) {
        answer.status = net::Lookup::no_data;
        answer.why = "the addresses of " + host + " are not proven by DNSSEC";
        co_return answer;
    }
    if (addresses.secure && !addresses.canonical.empty() && addresses.canonical != host) {
        answer = co_await resolver.tlsa(addresses.canonical, port);
        if (answer.status == net::Lookup::transient || (answer.status == net::Lookup::found && answer.secure))
            co_return answer;
    }
    answer = co_await resolver.tlsa(host, port);
    co_return answer;
}

bool usable(const net::TlsaRecord& record) {
    if (record.usage != 2 && record.usage != 3) return false;
    if (record.selector > 1) return false;
    switch (record.matching) {
        case 0: return is_whole(record.selector, record.data);
        case 1: return record.data.size() == 32;
        case 2: return record.data.size() == 64;
        default: return false;
    }
}

HostPolicy dane_policy(HostPolicy base, const std::string& host, const std::string& domain, bool mx_secure,
                       const net::AddressAnswer& addresses, const net::TlsaAnswer& tlsa) {
    if (!addresses.secure && !addresses.alias_secure && addresses.alias_why.empty()) return base;
    switch (tlsa.status) {
        case net::Lookup::no_data:
        case net::Lookup::no_name: return base;
        case net::Lookup::transient: {
            HostPolicy barred;
            barred.tls = ClientTls::dane;
            barred.origin = "DANE";
            barred.fault = PolicyFault::tlsa_not_found;
            barred.barred = "the TLSA records of " + host + " cannot be looked up: " + tlsa.why;
            return barred;
        }
        case net::Lookup::found: break;
    }
    if (!tlsa.secure) return base;

    HostPolicy wanted;
    std::copy_if(tlsa.records.begin(), tlsa.records.end(), std::back_inserter(wanted.tlsa), usable);
    if (wanted.tlsa.empty()) {
        base.fault = PolicyFault::tlsa_unusable;
        // The records promise TLS although nobody can be recognised by them (RFC 7672 §2.2).
        if (base.tls == ClientTls::opportunistic || base.tls == ClientTls::off) {
            base.tls = ClientTls::required;
            base.origin = "DANE, its TLSA records cannot be used";
            base.testing = false;
            base.names.clear();
        }
        return base;
    }
    wanted.tls = ClientTls::dane;
    wanted.origin = "DANE";
    add_name(wanted.names, host);
    if (addresses.secure) add_name(wanted.names, addresses.canonical);
    if (mx_secure) add_name(wanted.names, domain);
    return wanted;
}

}  // namespace postern::relay
