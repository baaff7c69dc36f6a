#include "relay/net/address_range.h"

#include <algorithm>
#include <array>

#include "sync/base/ip_address.h"

namespace postern::relay {

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
    const auto range = base::IpAddress::parse(network.address), address = base::IpAddress::parse(client);
    return range && address && address->plain().in(range->plain(), network.prefix);
}

}  // namespace postern::relay
