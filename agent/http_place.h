// Opening a TCP port or a Unix socket to listen at.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>

#include <tl/expected.hpp>

#include "relay/settings.h"

namespace postern::agent {

struct OpenPlace {
    int fd = -1;  // listening, not blocking
    std::uint16_t port = 0;
};

/// The error says in words why not. Port 0 takes any free one.
tl::expected<OpenPlace, std::string> open_place(const relay::HostPort& address);

/// A socket that anybody may connect to; who it is, the peer's credentials tell. One that nobody listens at
/// any more is replaced.
tl::expected<OpenPlace, std::string> open_place(const std::filesystem::path& path);

}  // namespace postern::agent
