// What name servers answered, as values.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "relay/net/asio.h"
#include "relay/net/tlsa.h"

namespace postern::relay::net {

enum class Lookup : std::uint8_t {
    found,
    no_data,    // the name exists, without this type
    no_name,    // NXDOMAIN
    transient,  // no answer, SERVFAIL, or bogus under DNSSEC: try later
};

struct MailExchanger {
    std::uint16_t preference = 0;
    std::string host;  // lower case, no trailing dot; "." for a null MX (RFC 7505)
};

struct MxAnswer {
    Lookup status = Lookup::transient;
    /// By preference, equal ones in random order (RFC 5321 §5.1); at most 50.
    std::vector<MailExchanger> exchangers;
    bool cut = false;     // there are more of them
    bool secure = false;  // validated by DNSSEC
    std::string why;      // in words, when not found
};

struct AddressAnswer {
    Lookup status = Lookup::transient;
    std::vector<asio::ip::address> addresses;  // IPv6 first, at most 20
    bool secure = false;  // the addresses are proven, CNAMEs on the way included; a proven absence too
    /// The name is an alias, and its own CNAME record is proven; whatever `secure` is.
    bool alias_secure = false;
    std::string alias_why;  // why nobody knows whether that is so; "" where it is known, or no matter
    std::string canonical;  // the name at the end of the CNAMEs in A-labels; the name itself without any
    std::string why;
};

struct TlsaAnswer {
    Lookup status = Lookup::transient;
    std::vector<TlsaRecord> records;  // at most 20
    bool secure = false;              // also of no_data and no_name: the absence is proven
    std::string why;
};

struct TextAnswer {
    Lookup status = Lookup::transient;
    std::vector<std::string> texts;  // each record's strings joined; at most 20 of at most 4 KiB
    std::string why;
};

struct NameAnswer {
    Lookup status = Lookup::transient;
    std::vector<std::string> names;  // lower case, at most 20
    std::string why;
};

}  // namespace postern::relay::net
