// Whoever answers questions to the name servers, and what it answers.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "relay/net/answers.h"

namespace postern::relay::net {

enum class RecordType : std::uint8_t {
    a = 1,
    ns = 2,
    cname = 5,
    ptr = 12,
    mx = 15,
    txt = 16,
    aaaa = 28,
    dnskey = 48,
    tlsa = 52,
};

struct DnsAnswer {
    Lookup status = Lookup::transient;
    std::vector<std::string> records;  // RDATA in wire form, at most 100; only when found
    std::string canonical;             // the name at the end of the CNAMEs, lower case, no trailing dot
    bool secure = false;               // data or absence are proven, CNAMEs on the way included
    bool bogus = false;                // transient, because DNSSEC says that it was tampered with
    bool silent = false;               // transient, because nobody answered in time
    bool lacking = false;              // transient, because this machine had nothing left to ask with
    std::string why;                   // in words, when not found
    bool has_signatures = false;       // of DNSKEY: RRSIG records came with it, whatever they are worth
};

/// Nothing here waits its turn or ends in time: `Questions` sees to that. Used from the thread of its
/// io_context.
class NameService {
public:
    using Done = std::function<void(DnsAnswer)>;

    NameService() = default;
    NameService(const NameService&) = delete;
    NameService& operator=(const NameService&) = delete;
    virtual ~NameService() = default;

    /// `name` is ASCII. `done` comes once, from the loop, with an answer or when it is given up: that may
    /// take longer than anybody wants to wait.
    virtual void ask(const std::string& name, RecordType type, Done done) = 0;
    /// Questions it is fit for at the same time.
    virtual std::size_t at_once() const = 0;
    /// Drops the questions under way; their `done` never comes.
    virtual void close() = 0;
};

}  // namespace postern::relay::net
