// DNS through a validating resolver library. What a delivery needs to know of a name, with the reasons in
// words.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "relay/net/asio.h"
#include "relay/net/tlsa.h"
#include "relay/settings.h"
#include "sync/base/clock.h"

namespace postern::relay::net {

class Dnssec;

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

/// Names in UTF-8 are asked for in A-labels (RFC 5891); one that cannot be a name is no_name with the reason.
/// Used from the thread of its io_context. Answers are cached by the library for as long as their TTL says;
/// each question ends within twice `DnsSettings::timeout`. Where the name servers are away, what they said
/// within a day before stands.
class Resolver {
public:
    /// Throws std::runtime_error when a setting cannot be used.
    Resolver(io_context& io, const base::Clock& clock, const DnsSettings& settings);
    /// A copy asks the same way, and may outlive the original: then its questions never end, and whoever
    /// waits for them is destroyed.
    Resolver(const Resolver& other);
    Resolver& operator=(const Resolver&) = delete;
    ~Resolver();

    /// One that asks on behalf of `asker`, a message's id. Who asks much waits behind himself, not others
    /// behind him: at most some 50 of his questions are asked at once.
    Resolver for_asker(std::string asker) const;
    /// Other settings; what is under way is asked anew. Throws as the constructor does, and changes nothing
    /// then.
    void reload(const DnsSettings& settings);
    /// Finds out whether the name servers pass DNSSEC on, and goes on without where they never did: see
    /// dnssec.h. `proven`: it worked before with these settings. `told`: there is something else in dnssec().
    void watch_dnssec(bool proven, std::function<void()> told);
    const Dnssec& dnssec() const;

    awaitable<MxAnswer> mx(std::string domain);
    awaitable<AddressAnswer> addresses(std::string host);  // A and AAAA; an IP literal is its own answer
    awaitable<TlsaAnswer> tlsa(std::string host, std::uint16_t port);  // of _PORT._tcp.HOST
    awaitable<TextAnswer> text(std::string name);
    awaitable<NameAnswer> names(asio::ip::address address);  // PTR

private:
    struct Impl;
    std::shared_ptr<Impl> impl_;
    std::string asker_;
    bool owner_ = false;
};

}  // namespace postern::relay::net
