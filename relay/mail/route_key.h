// What a route is called: in the spool, in the log, on the status pages and in commands.
#pragma once

#include <compare>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <utility>

namespace postern::relay {

/// Names a destination of mail. What waits is filed by it; which hosts it leads to is found out when it is
/// ready. In the order of their texts.
struct RouteKey {
    enum class Kind : std::uint8_t {
        none,        // nowhere, without a name; else what is no route's text here: it leads to nothing
        gateway,     // "gateway:NAME"
        gateways,    // "gateways": all of type round-robin, in turn; without a name
        held,        // "held": by an operator, until it is released; without a name
        exchangers,  // "mx:DOMAIN"
        primary,     // "primary:NAME"
    };

    Kind kind = Kind::none;
    std::string name{};

    static RouteKey gateway(std::string name) { return {Kind::gateway, std::move(name)}; }
    static RouteKey gateways() { return {Kind::gateways}; }
    static RouteKey held() { return {Kind::held}; }
    static RouteKey exchangers(std::string domain) { return {Kind::exchangers, std::move(domain)}; }
    static RouteKey primary(std::string name) { return {Kind::primary, std::move(name)}; }
    /// Of any text, which text() gives back.
    static RouteKey of(std::string_view text);

    std::string text() const;
    bool empty() const { return kind == Kind::none && name.empty(); }
    /// Whether it leads through the gateway of that name; "" is none's.
    bool is_gateway(std::string_view of) const { return kind == Kind::gateway && !of.empty() && name == of; }
    auto operator<=>(const RouteKey&) const = default;
};

}  // namespace postern::relay

template <>
struct std::hash<postern::relay::RouteKey> {
    std::size_t operator()(const postern::relay::RouteKey& key) const noexcept {
        return std::hash<std::string>()(key.name) ^ (static_cast<std::size_t>(key.kind) << 1);
    }
};
