#include "relay/net/addresses.h"

#include <ifaddrs.h>
#include <netinet/in.h>

#include <algorithm>
#include <asio/ip/network_v4.hpp>
#include <asio/ip/network_v6.hpp>
#include <cerrno>
#include <system_error>
#include <tl/expected.hpp>
#include <utility>

#include "relay/net/address_range.h"
#include "sync/base/encoding.h"

namespace postern::relay {

asio::ip::address plain(const asio::ip::address& address) {
    if (!address.is_v6() || !address.to_v6().is_v4_mapped()) return address;
    return asio::ip::make_address_v4(asio::ip::v4_mapped, address.to_v6());
}

std::string reversed(const asio::ip::address& address) {
    std::string out;
    if (address.is_v4()) {
        const auto octets = address.to_v4().to_bytes();
        for (auto at = octets.rbegin(); at != octets.rend(); ++at)
            out.append(std::to_string(*at)).append(".");
        return out;
    }
    const auto octets = address.to_v6().to_bytes();
    for (auto at = octets.rbegin(); at != octets.rend(); ++at)
        out += {base::lower_hex[*at & 15], '.', base::lower_hex[*at >> 4], '.'};
    return out;
}

std::string network_of(const asio::ip::address& address, unsigned short six) {
    return address.is_v4() ? asio::ip::network_v4(address.to_v4(), 24).canonical().to_string()
                           : asio::ip::network_v6(address.to_v6(), six).canonical().to_string();
}

namespace {

tl::expected<std::vector<asio::ip::address>, std::error_code> of_interfaces() {
    std::vector<asio::ip::address> out;
    ifaddrs* list = nullptr;
    if (getifaddrs(&list) != 0) return tl::unexpected(std::error_code(errno, std::generic_category()));
    for (const ifaddrs* one = list; one != nullptr; one = one->ifa_next) {
        if (one->ifa_addr == nullptr) continue;
        if (one->ifa_addr->sa_family == AF_INET) {
            const auto* four = reinterpret_cast<const sockaddr_in*>(one->ifa_addr);
            out.emplace_back(asio::ip::address_v4(ntohl(four->sin_addr.s_addr)));
        } else if (one->ifa_addr->sa_family == AF_INET6) {
            const auto* six = reinterpret_cast<const sockaddr_in6*>(one->ifa_addr);
            asio::ip::address_v6::bytes_type bytes{};
            std::copy_n(six->sin6_addr.s6_addr, bytes.size(), bytes.begin());
            out.emplace_back(asio::ip::address_v6(bytes));
        }
    }
    freeifaddrs(list);
    return out;
}

}  // namespace

OwnAddresses::OwnAddresses() {
    auto found = of_interfaces();
    if (!found) throw std::system_error(found.error(), "the addresses of this machine cannot be listed");
    known_ = std::move(*found);
}

std::vector<asio::ip::address> OwnAddresses::list() {
    if (auto found = of_interfaces()) known_ = std::move(*found);
    return known_;
}

bool must_ignore(const std::vector<Network>& ignored, OwnAddresses& own, const asio::ip::address& address) {
    const asio::ip::address one = plain(address);
    const std::string text = one.to_string();
    if (std::any_of(ignored.begin(), ignored.end(),
                    [&](const Network& network) { return contains(network, text); }))
        return true;
    if (one.is_loopback()) return false;
    const auto all = own.list();
    return std::find(all.begin(), all.end(), one) != all.end();
}

}  // namespace postern::relay
