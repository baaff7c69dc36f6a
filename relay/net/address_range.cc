#include "relay/net/address_range.h"

#include <arpa/inet.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <optional>
#include <string>

namespace postern::relay {

namespace {

struct Octets {
    std::array<unsigned char, 16> value{};
    unsigned bits = 0;
};

std::optional<Octets> parse(std::string_view text) {
    std::string copy(text);
    Octets out;
    if (inet_pton(AF_INET, copy.c_str(), out.value.data()) == 1) {
        out.bits = 32;
        return out;
    }
    if (inet_pton(AF_INET6, copy.c_str(), out.value.data()) != 1) return std::nullopt;
    static constexpr std::array<unsigned char, 12> mapped{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
    out.bits = 128;
    if (std::memcmp(out.value.data(), mapped.data(), mapped.size()) == 0) {
        std::memmove(out.value.data(), out.value.data() + 12, 4);
        out.bits = 32;
    }
    return out;
}

}  // namespace

bool is_ip_literal(std::string_view text) { return parse(text).has_value(); }

bool is_private(const Network& network) {
    static const std::array<Network, 10> own{{{"127.0.0.0", 8},
                                              {"10.0.0.0", 8},
                                              {"172.16.0.0", 12},
                                              {"192.168.0.0", 16},
                                              {"169.254.0.0", 16},
                                              {"100.64.0.0", 10},
                                              {"::1", 128},
                                              {"fc00::", 7},
                                              {"fe80::", 10},
                                              {"2001:db8::", 32}}};
    return std::any_of(own.begin(), own.end(), [&](const Network& each) {
        return network.prefix >= each.prefix && contains(each, network.address);
    });
}

bool contains(const Network& network, std::string_view client) {
    auto range = parse(network.address);
    auto address = parse(client);
    if (!range || !address || range->bits != address->bits || network.prefix > range->bits) return false;
    unsigned whole = network.prefix / 8, rest = network.prefix % 8;
    if (std::memcmp(range->value.data(), address->value.data(), whole) != 0) return false;
    if (rest == 0) return true;
    auto mask = static_cast<unsigned char>(0xff << (8 - rest));
    return (range->value[whole] & mask) == (address->value[whole] & mask);
}

}  // namespace postern::relay
