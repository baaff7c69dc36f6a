// Opening a TCP port or a Unix socket to listen at.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>

#include <tl/expected.hpp>

#include "relay/settings.h"
#include "sync/base/descriptor.h"

namespace postern::agent {

struct OpenPlace {
    base::Descriptor socket;  // listening, not blocking
    std::uint16_t port = 0;
};

/// The error says in words why not. Port 0 takes any free one.
tl::expected<OpenPlace, std::string> open_place(const relay::HostPort& address);

/// A Unix socket. Who may not connect cannot keep others out either, by filling the line of those who wait.
struct UnixPlace {
    std::filesystem::path path;
    bool everybody = false;  // may connect; otherwise root and whoever opens it
};

/// The socket beside that of root and the account, for everybody else.
std::filesystem::path everybodys_socket(const std::filesystem::path& socket);

/// One that nobody listens at any more is replaced.
tl::expected<OpenPlace, std::string> open_place(const UnixPlace& place);

}  // namespace postern::agent
