// What was seen of the hosts of one site: pure values, the clock is the caller's. Times are steady.
#pragma once

#include <chrono>
#include <map>
#include <optional>
#include <set>
#include <string>

#include "relay/delivery/family_memory.h"
#include "relay/net/asio.h"

namespace postern::relay {

class HostMemory {
public:
    /// An address could not be used: it comes last for `pause`.
    void failed(const net::Endpoint& host, Time now, std::chrono::milliseconds pause);
    unsigned failures(const net::Endpoint& host) const;  // in a row
    void reached(const net::Endpoint& host) { bad_.erase(host); }
    bool doubtful(const net::Endpoint& host, Time now) const;

    /// TLS that nobody demands and that a host offers but does not master is not used for a while, longer
    /// each time. Where it ever worked it is not doubted.
    void tls_worked(const net::Endpoint& host);
    void tls_failed(const net::Endpoint& host, Time now, std::string why);
    /// In clear text it fares no better: it was not TLS.
    void tls_not_at_fault(const net::Endpoint& host) { tls_failed_.erase(host); }
    std::string tls_fault(const net::Endpoint& host, Time now) const;  // "" for none
    bool tls_works(const net::Endpoint& host) const { return tls_works_.contains(host); }

    void trim();  // what is remembered is bounded
    FamilyMemory families{1};
    bool told_family = false;            // this site has said of one that it leads nowhere
    std::string last_policy_fault;       // against a policy that is being tested
    std::optional<std::string> cut_off;  // the sender at whose name the last session ended without a word

private:
    struct Bad {
        Time until{};
        unsigned times = 0;
    };
    struct TlsFailure {
        Time until{};
        unsigned times = 0;  // in a row
        std::string why;
    };
    std::map<net::Endpoint, Bad> bad_;
    std::map<net::Endpoint, TlsFailure> tls_failed_;
    std::set<net::Endpoint> tls_works_;  // hosts that have answered in a transaction over TLS
};

}  // namespace postern::relay
