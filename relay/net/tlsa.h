// TLSA records as values (RFC 6698 §2.1).
#pragma once

#include <cstdint>
#include <string>

namespace postern::relay::net {

struct TlsaRecord {
    std::uint8_t usage = 0, selector = 0, matching = 0;
    std::string data;  // octets

    bool operator==(const TlsaRecord&) const = default;
};

}  // namespace postern::relay::net
