#include "relay/mail/route_key.h"

#include <array>

namespace postern::relay {

namespace {

/// What the text of each kind begins with, in the order of the enumeration.
constexpr std::array<std::string_view, 4> prefixes{"mx:", "gateway:", all_gateways, "primary:"};

}  // namespace

std::optional<RouteKey> RouteKey::parse(std::string_view text) {
    if (text == all_gateways) return RouteKey{Kind::gateways};
    for (const Kind kind : {Kind::exchangers, Kind::gateway, Kind::primary})
        if (const auto prefix = prefixes[static_cast<std::size_t>(kind)]; text.starts_with(prefix))
            return RouteKey{kind, std::string(text.substr(prefix.size()))};
    return std::nullopt;
}

std::optional<std::string> RouteKey::name_in(std::string_view text, Kind kind) {
    auto key = parse(text);
    if (!key || key->kind != kind) return std::nullopt;
    return std::move(key->name);
}

std::string RouteKey::text() const { return std::string(prefixes[static_cast<std::size_t>(kind)]) + name; }

}  // namespace postern::relay
