// NSD as the name server of one test's zones, some of them signed when the test runs.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "relay/settings.h"
#include "tests/unit/relay/folder.h"

namespace postern::tests {

struct Zone {
    std::string name;
    std::vector<std::string> records;  // in presentation form below the zone; SOA and NS are added
    bool signing = false;
    /// In the signed zone, what is replaced by what: such data are bogus.
    std::pair<std::string, std::string> tampered;
};

class NameServer {
public:
    explicit NameServer(const std::vector<Zone>& zones);
    ~NameServer();
    NameServer(const NameServer&) = delete;
    NameServer& operator=(const NameServer&) = delete;

    /// Reaches the zones, and trusts the keys of those that are signed. With the zone "." it is a resolver
    /// for everything.
    relay::DnsSettings settings() const;

private:
    void write_zone(const Zone& zone) const;
    void sign(const Zone& zone) const;
    void start();
    bool answers() const;
    void stop();

    Folder folder_;
    std::vector<Zone> zones_;
    std::uint16_t port_;
    pid_t process_ = -1;
};

/// A UDP and TCP port of 127.0.0.1 that was free a moment ago.
std::uint16_t free_dns_port();

}  // namespace postern::tests
