// Who is at the other end of a connection to a door.
#pragma once

#include <sys/types.h>

#include <optional>
#include <string>

namespace postern::agent {

/// Whatever is shared is shared among these.
struct HttpPeer {
    std::string address;        // over TCP; one of IPv4 is written as IPv4
    std::optional<uid_t> user;  // the account at a Unix socket, as the kernel knows it (SO_PEERCRED)
};

}  // namespace postern::agent
