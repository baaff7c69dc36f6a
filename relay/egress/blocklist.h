// DNS blocklists, asked about our own addresses (RFC 5782).
#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

#include "relay/net/resolver.h"

namespace postern::relay {

/// "2.0.0.127.zone" or the nibbles of an IPv6 address; "" when `address` is no literal.
std::string blocklist_name(std::string_view address, std::string_view zone);

/// What an A record of a blocklist means. 127.0.0.2 to 127.254.255.255 list an address; 127.255.255.0/24 says
/// that we may not ask; 127.0.0.1 and anything outside 127/8 is a zone that is broken or gone.
enum class BlocklistCode : std::uint8_t { listed, refused, broken };
BlocklistCode blocklist_code(const asio::ip::address& answer);

struct BlocklistAnswer {
    std::map<std::string, std::string> listed;  // zone: code and its TXT, for those that list the address
    std::set<std::string> checked;              // zones that gave an answer that can be believed
    std::map<std::string, std::string> faults;  // zone: why it cannot be believed
};

/// Asks all zones about one address. A zone is believed only when its test points say what RFC 5782 §5
/// demands (127.0.0.2 listed, 127.0.0.1 not).
net::awaitable<BlocklistAnswer> ask_blocklists(net::Resolver& resolver, std::vector<std::string> zones,
                                               std::string address);

}  // namespace postern::relay
