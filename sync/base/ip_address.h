// IP addresses as values: read from literals and sockets, compared by value and not by spelling.
#pragma once

#include <sys/socket.h>

#include <array>
#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace postern::base {

class IpAddress final {
public:
    /// An IPv4 or IPv6 literal without brackets, zone or blanks; nullopt for anything else.
    static std::optional<IpAddress> parse(std::string_view literal);
    /// The address of a socket; nullopt for one of another family.
    static std::optional<IpAddress> of(const sockaddr_storage& socket);

    bool is_v4() const { return bits_ == 32; }
    unsigned bits() const { return bits_; }  // 32 or 128
    bool is_loopback() const;                // of 127.0.0.0/8, or ::1
    /// IPv4 in IPv6 (::ffff:a.b.c.d) as IPv4, anything else as it is.
    IpAddress plain() const;
    /// Whether the first `prefix` bits are those of `network`; false for a prefix longer than an address, and
    /// between IPv4 and IPv6.
    bool in(const IpAddress& network, unsigned prefix) const;
    /// Whether a bit beyond the first `prefix` is set.
    bool has_bits_beyond(unsigned prefix) const;

    std::string text() const;  // the usual spelling (RFC 5952)
    auto operator<=>(const IpAddress&) const = default;

private:
    unsigned bits_ = 0;
    std::array<unsigned char, 16> octets_{};  // of IPv4 the first four
};

inline bool is_ip_literal(std::string_view text) { return IpAddress::parse(text).has_value(); }

/// Of what is known to be an IP literal or a host name: only IPv6 has colons.
inline bool is_v6_literal(std::string_view host) { return host.find(':') != std::string_view::npos; }

/// A socket's address, as system calls take and give it.
struct SocketAddress {
    sockaddr_storage storage{};
    socklen_t length = sizeof(sockaddr_storage);

    /// nullopt when `literal` is no IP address.
    static std::optional<SocketAddress> of(std::string_view literal, std::uint16_t port);
    sockaddr* get() { return reinterpret_cast<sockaddr*>(&storage); }
    std::uint16_t port() const;  // 0 for none
};

}  // namespace postern::base
