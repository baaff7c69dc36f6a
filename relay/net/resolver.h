// DNS through a validating resolver library. What a delivery needs to know of a name, with the reasons in
// words.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "relay/net/asio.h"
#include "relay/settings.h"

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
    std::vector<MailExchanger>
        exchangers;       // by preference, equal ones in random order (RFC 5321 §5.1); at most 50
    bool secure = false;  // validated by DNSSEC
    std::string why;      // in words, when not found
};

struct AddressAnswer {
    Lookup status = Lookup::transient;
    std::vector<asio::ip::address> addresses;  // IPv6 first, at most 20
    bool secure = false;
    std::string why;
};

/// Used from the thread of its io_context. Answers are cached by the library for as long as their TTL says;
/// each question ends within `DnsSettings::timeout`.
class Resolver {
public:
    /// Throws std::runtime_error when a setting cannot be used.
    Resolver(io_context& io, const DnsSettings& settings);
    ~Resolver();
    Resolver(const Resolver&) = delete;
    Resolver& operator=(const Resolver&) = delete;

    awaitable<MxAnswer> mx(std::string domain);
    awaitable<AddressAnswer> addresses(std::string host);  // A and AAAA; an IP literal is its own answer

private:
    struct Impl;
    std::shared_ptr<Impl> impl_;
};

}  // namespace postern::relay::net
