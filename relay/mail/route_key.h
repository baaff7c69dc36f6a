// What a route is called: in the spool, in the log, on the status pages and in commands.
#pragma once

#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace postern::relay {

/// Names a destination of mail. What waits is filed by its text; which hosts it leads to is found out when it
/// is ready.
struct RouteKey {
    enum class Kind : std::uint8_t {
        exchangers,  // "mx:DOMAIN"
        gateway,     // "gateway:NAME"
        gateways,    // "gateways": all of type round-robin, in turn; without a name
        primary,     // "primary:NAME"
    };

    Kind kind = Kind::exchangers;
    std::string name{};

    static RouteKey exchangers(std::string domain) { return {Kind::exchangers, std::move(domain)}; }
    static RouteKey gateway(std::string name) { return {Kind::gateway, std::move(name)}; }
    static RouteKey primary(std::string name) { return {Kind::primary, std::move(name)}; }

    /// nullopt for what is no route's name.
    static std::optional<RouteKey> parse(std::string_view text);
    /// The name, when `text` is a route of that kind.
    static std::optional<std::string> name_in(std::string_view text, Kind kind);
    static bool is(std::string_view text, Kind kind) { return name_in(text, kind).has_value(); }

    std::string text() const;
    auto operator<=>(const RouteKey&) const = default;
};

/// The text of the route of all gateways that are round-robin.
inline constexpr std::string_view all_gateways = "gateways";

}  // namespace postern::relay
