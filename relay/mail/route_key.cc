#include "relay/mail/route_key.h"

#include <array>

namespace postern::relay {

namespace {

/// What the text of each kind is, or begins with, in the order of the enumeration.
constexpr std::array<std::string_view, 6> prefixes{"", "gateway:", "gateways", "held", "mx:", "primary:"};

std::string_view prefix_of(RouteKey::Kind kind) { return prefixes[static_cast<std::size_t>(kind)]; }

}  // namespace

RouteKey RouteKey::of(std::string_view text) {
    for (const Kind kind : {Kind::gateways, Kind::held})
        if (text == prefix_of(kind)) return {kind};
    for (const Kind kind : {Kind::gateway, Kind::exchangers, Kind::primary})
        if (text.starts_with(prefix_of(kind)))
            return {kind, std::string(text.substr(prefix_of(kind).size()))};
    return {Kind::none, std::string(text)};
}

std::string RouteKey::text() const { return std::string(prefix_of(kind)) + name; }

}  // namespace postern::relay
