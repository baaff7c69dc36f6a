// What an address is to us: whose it is, which network it is in, and whether others may lead us there.
#pragma once

#include <string>
#include <vector>

#include "relay/net/asio.h"
#include "relay/settings.h"

namespace postern::relay {

/// IPv4-mapped IPv6 as IPv4, anything else as it is.
asio::ip::address plain(const asio::ip::address& address);

/// Its octets, or of IPv6 its hexadecimal digits, last first, each with a dot behind it, as names in the DNS
/// begin that tell about an address (RFC 1035 §3.5, RFC 3596 §2.5, RFC 5782 §2).
std::string reversed(const asio::ip::address& address);

/// "192.0.2.0/24"; of an IPv6 address so many bits.
std::string network_of(const asio::ip::address& address, unsigned short six = 64);

/// The addresses of this machine's interfaces. Where they cannot be listed, for want of descriptors say,
/// those of the time before stand. Used from one thread.
class OwnAddresses {
public:
    OwnAddresses();  // throws std::system_error when they cannot be listed
    std::vector<asio::ip::address> list();

private:
    std::vector<asio::ip::address> known_;
};

/// Whether names of others and address literals must not lead to this address: one of `ignored`, or another
/// of this machine's own but the loopback ones. IPv4 in IPv6 counts as IPv4.
bool must_ignore(const std::vector<Network>& ignored, OwnAddresses& own, const asio::ip::address& address);

}  // namespace postern::relay
