// Hosts, ports and address ranges as they are written in the configuration.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include <tl/expected.hpp>

#include "relay/settings.h"

namespace postern::agent {

/// "host:port", "192.0.2.1:25", "[::1]:25"; the port may be left out when there is a default.
tl::expected<relay::HostPort, std::string> parse_host_port(std::string_view text,
                                                           std::optional<std::uint16_t> default_port);

/// "192.0.2.10", "192.0.2.0/24", "2001:db8::/32"; no bits may be set beyond the prefix.
tl::expected<relay::Network, std::string> parse_network(std::string_view text);

/// A DNS server: an IP address, or one with a port as in "127.0.0.1@5353".
bool is_dns_server(std::string_view text);

/// The usual spelling of an IPv4 or IPv6 literal without brackets, IPv4-mapped IPv6 as the IPv4 that it is;
/// nothing when it is none.
std::optional<std::string> canonical_ip(std::string_view text);

/// A literal of 127.0.0.0/8 or ::1.
bool is_loopback(std::string_view literal);

/// A host or domain name of letters, digits, hyphens and dots (RFC 5321 §4.1.2); A-labels for the rest.
bool is_domain_name(std::string_view text);

/// Whose mail a route is about: "user@domain", "domain" or "*".
bool is_route_sender(std::string_view text);

/// A host with its port as it is written: brackets around IPv6 literals.
std::string format_host_port(const relay::HostPort& address);

}  // namespace postern::agent
