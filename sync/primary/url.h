// Where a primary is reached: an absolute URL in its parts.
#pragma once

#include <array>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace postern::sync {

/// What stands before the "://", and what it means.
struct Scheme {
    std::string_view name;
    int port = 0;  // where the URL names none
    bool tls = false;
    bool path = true;  // one may follow the host
};

inline constexpr std::array<Scheme, 2> web_schemes{{{"https", 443, true}, {"http", 80, false}}};

struct BaseUrl {
    bool tls = false;
    std::string host;  // an IPv6 literal without brackets
    int port = 0;
    std::string prefix;  // path without a final slash: "" or "/mail"

    /// nullopt unless it is of one of the schemes, with a host and without query or user information.
    static std::optional<BaseUrl> parse(std::string_view url, std::span<const Scheme> schemes = web_schemes);
};

}  // namespace postern::sync
