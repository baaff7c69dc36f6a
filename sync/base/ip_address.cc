#include "sync/base/ip_address.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#include <algorithm>
#include <cstring>

namespace postern::base {

namespace {

constexpr std::array<unsigned char, 12> mapped{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

template <class Family>
Family family_of(const sockaddr_storage& socket) {
    Family out{};
    std::memcpy(&out, &socket, sizeof out);
    return out;
}

}  // namespace

std::optional<IpAddress> IpAddress::parse(std::string_view literal) {
    std::array<char, INET6_ADDRSTRLEN> text{};
    if (literal.size() >= text.size() || literal.find('\0') != literal.npos) return std::nullopt;
    std::copy(literal.begin(), literal.end(), text.begin());
    IpAddress out;
    if (inet_pton(AF_INET, text.data(), out.octets_.data()) == 1)
        out.bits_ = 32;
    else if (inet_pton(AF_INET6, text.data(), out.octets_.data()) == 1)
        out.bits_ = 128;
    else
        return std::nullopt;
    return out;
}

std::optional<IpAddress> IpAddress::of(const sockaddr_storage& socket) {
    IpAddress out;
    if (socket.ss_family == AF_INET) {
        const auto four = family_of<sockaddr_in>(socket);
        std::memcpy(out.octets_.data(), &four.sin_addr, sizeof four.sin_addr);
        out.bits_ = 32;
    } else if (socket.ss_family == AF_INET6) {
        const auto six = family_of<sockaddr_in6>(socket);
        std::memcpy(out.octets_.data(), &six.sin6_addr, sizeof six.sin6_addr);
        out.bits_ = 128;
    } else {
        return std::nullopt;
    }
    return out;
}

bool IpAddress::is_loopback() const {
    if (is_v4()) return octets_[0] == 127;
    return octets_.back() == 1 &&
           std::all_of(octets_.begin(), octets_.end() - 1, [](unsigned char octet) { return octet == 0; });
}

IpAddress IpAddress::plain() const {
    if (is_v4() || !std::equal(mapped.begin(), mapped.end(), octets_.begin())) return *this;
    IpAddress out;
    out.bits_ = 32;
    std::copy(octets_.begin() + mapped.size(), octets_.end(), out.octets_.begin());
    return out;
}

bool IpAddress::in(const IpAddress& network, unsigned prefix) const {
    if (bits_ != network.bits_ || prefix > bits_) return false;
    const unsigned whole = prefix / 8, rest = prefix % 8;
    if (!std::equal(octets_.begin(), octets_.begin() + whole, network.octets_.begin())) return false;
    return rest == 0 || (octets_[whole] ^ network.octets_[whole]) >> (8 - rest) == 0;
}

bool IpAddress::has_bits_beyond(unsigned prefix) const {
    for (std::size_t bit = prefix; bit < bits_; ++bit)
        if (octets_[bit / 8] >> (7 - bit % 8) & 1) return true;
    return false;
}

std::string IpAddress::text() const {
    std::array<char, INET6_ADDRSTRLEN> out{};
    inet_ntop(is_v4() ? AF_INET : AF_INET6, octets_.data(), out.data(), out.size());
    return out.data();
}

std::optional<SocketAddress> SocketAddress::of(std::string_view literal, std::uint16_t port) {
    SocketAddress out;
    sockaddr_in four{};
    sockaddr_in6 six{};
    const std::string text(literal);
    if (inet_pton(AF_INET, text.c_str(), &four.sin_addr) == 1) {
        four.sin_family = AF_INET;
        four.sin_port = htons(port);
        out.length = sizeof four;
        std::memcpy(&out.storage, &four, sizeof four);
    } else if (inet_pton(AF_INET6, text.c_str(), &six.sin6_addr) == 1) {
        six.sin6_family = AF_INET6;
        six.sin6_port = htons(port);
        out.length = sizeof six;
        std::memcpy(&out.storage, &six, sizeof six);
    } else {
        return std::nullopt;
    }
    return out;
}

std::uint16_t SocketAddress::port() const {
    if (storage.ss_family == AF_INET) return ntohs(family_of<sockaddr_in>(storage).sin_port);
    if (storage.ss_family == AF_INET6) return ntohs(family_of<sockaddr_in6>(storage).sin6_port);
    return 0;
}

}  // namespace postern::base
