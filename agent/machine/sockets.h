// Listening sockets that relay does not bind itself: passed by systemd, or bound while still root.
#pragma once

#include <string>
#include <vector>

#include <tl/expected.hpp>

#include "relay/settings.h"
#include "sync/base/descriptor.h"

namespace postern::agent {

/// A listening stream socket and the address it is bound to.
struct ListeningSocket {
    int fd = -1;
    relay::HostPort address;
};

/// The sockets systemd passed, if any (sd_listen_fds(3)). Others than listening IP stream sockets are an
/// error.
tl::expected<std::vector<ListeningSocket>, std::string> passed_sockets();

/// Gives each listener the socket with its address. The error names sockets that no listener wants.
tl::expected<void, std::string> assign(const std::vector<ListeningSocket>& sockets,
                                       std::vector<relay::ListenerSettings>& listeners);

/// Binds and listens for every listener without a socket. The error names the address.
tl::expected<void, std::string> bind_remaining(std::vector<relay::ListenerSettings>& listeners);

/// Whether both are the same address and port, however they are written ("::0001" and "::1").
bool same_place(const relay::HostPort& a, const relay::HostPort& b);

/// A stream socket bound to an IP literal and a port, not blocking, IPv6 alone for IPv6; none with errno when
/// that fails.
base::Descriptor bound_socket(const relay::HostPort& address);

/// The port a socket is bound to.
std::uint16_t local_port(int fd);

/// Tries to bind a socket to an IP literal, as is done before mail leaves from it. Why that does not work, ""
/// when it does.
std::string binding_fault(const std::string& address);

}  // namespace postern::agent
