#include "agent/machine/sockets.h"

#include <netinet/in.h>
#include <sys/socket.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <optional>
#include <system_error>

#include "agent/machine/address_text.h"
#include "sync/base/ip_address.h"

namespace postern::agent {
namespace {

constexpr int backlog = 4096;

using base::SocketAddress;

/// Of another family than IP when the host is a name: no call takes it.
SocketAddress socket_address(const relay::HostPort& address) {
    return SocketAddress::of(address.host, address.port).value_or(SocketAddress{});
}

std::optional<relay::HostPort> host_port(const SocketAddress& address) {
    const auto host = base::IpAddress::of(address.storage);
    if (!host) return std::nullopt;
    return relay::HostPort{host->text(), address.port()};
}

std::string system_text(int error) { return std::generic_category().message(error); }

}  // namespace

tl::expected<std::vector<ListeningSocket>, std::string> passed_sockets() {
    std::vector<ListeningSocket> sockets;
    char** names = nullptr;
    const int count = sd_listen_fds_with_names(1, &names);
    for (int i = 0; i < count; ++i) free(names[i]);
    free(names);
    if (count < 0)
        return tl::unexpected("the sockets passed by systemd cannot be taken: " + system_text(-count));
    for (int fd = SD_LISTEN_FDS_START; fd < SD_LISTEN_FDS_START + count; ++fd) {
        SocketAddress address;
        const bool listening = sd_is_socket(fd, AF_UNSPEC, SOCK_STREAM, 1) > 0;
        if (!listening || getsockname(fd, address.get(), &address.length) != 0 || !host_port(address))
            return tl::unexpected(
                "descriptor " + std::to_string(fd) +
                " passed by systemd is not a listening TCP socket (ListenStream=address:port)");
        sockets.push_back({fd, *host_port(address)});
    }
    return sockets;
}

tl::expected<void, std::string> assign(const std::vector<ListeningSocket>& sockets,
                                       std::vector<relay::ListenerSettings>& listeners) {
    for (const auto& socket : sockets) {
        bool wanted = false;
        for (auto& listener : listeners) {
            if (listener.inherited_fd >= 0 || !same_place(listener.address, socket.address)) continue;
            listener.inherited_fd = socket.fd;
            wanted = true;
            break;
        }
        if (!wanted)
            return tl::unexpected("systemd passed a socket for " + format_host_port(socket.address) +
                                  ", but no [[listener]] has this address");
    }
    return {};
}

bool same_place(const relay::HostPort& a, const relay::HostPort& b) {
    const auto left = host_port(socket_address(a)), right = host_port(socket_address(b));
    return left && right && left->host == right->host && left->port == right->port;
}

base::Descriptor bound_socket(const relay::HostPort& wanted) {
    auto address = socket_address(wanted);
    base::Descriptor fd(socket(address.storage.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    const int on = 1;
    const bool bound = fd && setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) == 0 &&
                       (address.storage.ss_family != AF_INET6 ||
                        setsockopt(fd.get(), IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on) == 0) &&
                       bind(fd.get(), address.get(), address.length) == 0;
    if (!bound) fd.close();
    return fd;
}

std::uint16_t local_port(int fd) {
    SocketAddress address;
    if (getsockname(fd, address.get(), &address.length) != 0) return 0;
    return address.port();
}

tl::expected<void, std::string> bind_remaining(std::vector<relay::ListenerSettings>& listeners) {
    for (auto& listener : listeners) {
        if (listener.inherited_fd >= 0) continue;
        base::Descriptor fd = bound_socket(listener.address);
        if (!fd || listen(fd.get(), backlog) != 0) {
            const int error = errno;
            return tl::unexpected("listener " + format_host_port(listener.address) +
                                  " cannot be bound: " + system_text(error) +
                                  (error == EADDRINUSE ? "; another mail server is probably running" : ""));
        }
        listener.inherited_fd = fd.release();
    }
    return {};
}

std::string binding_fault(const std::string& address) {
    auto local = socket_address({address, 0});
    const base::Descriptor fd(socket(local.storage.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0));
    const bool bound = fd && bind(fd.get(), local.get(), local.length) == 0;
    const int error = errno;
    if (bound) return "";
    if (error == EADDRNOTAVAIL)
        return "is not an address of this machine: add it to a network interface, or take it out";
    return "cannot be used on this machine: " + system_text(error);
}

}  // namespace postern::agent
