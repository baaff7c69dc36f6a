#include "agent/machine/address_text.h"

#include <charconv>

#include "sync/base/domain_name.h"
#include "sync/base/ip_address.h"

namespace postern::agent {
namespace {

std::optional<unsigned> parse_number(std::string_view text, unsigned most) {
    unsigned number = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (error != std::errc() || end != text.data() + text.size() || number > most) return std::nullopt;
    return number;
}

}  // namespace

std::optional<std::string> canonical_ip(std::string_view text) {
    const auto address = base::IpAddress::parse(text);
    return address ? std::optional(address->plain().text()) : std::nullopt;
}

bool is_loopback(std::string_view literal) {
    const auto address = base::IpAddress::parse(literal);
    return address && address->is_loopback();
}

bool is_domain_name(std::string_view text) { return base::is_host_name(text); }

bool is_route_sender(std::string_view text) {
    const auto at = text.rfind('@');
    return text == "*" ||
           (at != 0 && is_domain_name(at == std::string_view::npos ? text : text.substr(at + 1)));
}

tl::expected<relay::HostPort, std::string> parse_host_port(std::string_view text,
                                                           std::optional<std::uint16_t> default_port) {
    std::string_view host = text, port;
    bool has_port = false;
    if (text.starts_with('[')) {
        const auto close = text.find(']');
        if (close == std::string_view::npos)
            return tl::unexpected<std::string>("the closing bracket is missing");
        host = text.substr(1, close - 1);
        const auto rest = text.substr(close + 1);
        if (!rest.empty() && rest.front() != ':')
            return tl::unexpected<std::string>("only \":port\" may follow the bracket");
        has_port = !rest.empty();
        if (has_port) port = rest.substr(1);
        if (!base::is_ip_literal(host))
            return tl::unexpected<std::string>(
                "brackets are for IPv6 addresses; a name or an IPv4 address is written without, as in "
                "\"host:25\"");
    } else if (base::is_ip_literal(text) && base::is_v6_literal(text)) {
        return tl::unexpected<std::string>("an IPv6 address needs brackets, as in \"[::1]:25\"");
    } else {
        const auto colon = text.find(':');
        has_port = colon != std::string_view::npos;
        host = text.substr(0, colon);
        if (has_port) port = text.substr(colon + 1);
        if (!base::is_ip_literal(host) && !is_domain_name(host))
            return tl::unexpected<std::string>("is neither a host name nor an IP address");
    }
    if (!has_port && !default_port)
        return tl::unexpected<std::string>("the port is missing, as in \"host:25\"");
    relay::HostPort result{std::string(host), default_port.value_or(0)};
    if (has_port) {
        const auto number = parse_number(port, 65535);
        if (!number || *number == 0)
            return tl::unexpected<std::string>("the port is not a number from 1 to 65535");
        result.port = static_cast<std::uint16_t>(*number);
    }
    return result;
}

tl::expected<relay::Network, std::string> parse_network(std::string_view text) {
    const auto slash = text.find('/');
    const auto address = base::IpAddress::parse(text.substr(0, slash));
    if (!address) return tl::unexpected<std::string>("is not an IP address or a range such as 192.0.2.0/24");
    const unsigned most = address->bits();
    relay::Network network{std::string(text.substr(0, slash)), most};
    if (slash == std::string_view::npos) return network;
    const auto prefix = parse_number(text.substr(slash + 1), most);
    if (!prefix) return tl::unexpected("the prefix length is not a number from 0 to " + std::to_string(most));
    if (address->has_bits_beyond(*prefix))
        return tl::unexpected<std::string>(
            "has address bits beyond its prefix length; which of the two is meant?");
    network.prefix = *prefix;
    return network;
}

bool is_dns_server(std::string_view text) {
    const auto at = text.find('@');
    if (!base::is_ip_literal(text.substr(0, at))) return false;
    return at == std::string_view::npos || parse_number(text.substr(at + 1), 65535).value_or(0) != 0;
}

std::string format_host_port(const relay::HostPort& address) {
    const bool brackets = base::is_v6_literal(address.host);
    return (brackets ? "[" + address.host + "]" : address.host) + ":" + std::to_string(address.port);
}

}  // namespace postern::agent
