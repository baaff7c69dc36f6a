// Where a Redis or Valkey server is reached.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <tl/expected.hpp>

namespace postern::sync {

struct RedisUrl {
    bool tls = false;
    std::string host;  // an IPv6 literal without brackets
    std::uint16_t port = 6379;
    unsigned database = 0;

    /// Of redis://HOST[:PORT][/DATABASE], or rediss:// for TLS; HOST may be an IPv6 literal in brackets.
    /// Otherwise what is wrong, as the rest of a sentence about it that repeats nothing of it: people write
    /// passwords there.
    static tl::expected<RedisUrl, std::string> parse(std::string_view text);

    bool operator==(const RedisUrl&) const = default;
};

}  // namespace postern::sync
