#include "agent/http/place.h"

#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <system_error>

#include "agent/machine/address_text.h"
#include "agent/machine/sockets.h"
#include "sync/base/file.h"
#include "sync/base/file_fault.h"

namespace postern::agent {
namespace {

constexpr int backlog = 128;

std::string system_text(int error) { return std::generic_category().message(error); }

tl::unexpected<std::string> failed(const std::string& what, int error) {
    return tl::make_unexpected(what + ": " + system_text(error));
}

}  // namespace

tl::expected<OpenPlace, std::string> open_place(const relay::HostPort& address) {
    const std::string what = format_host_port(address) + " cannot be bound";
    base::Descriptor socket = bound_socket(address);
    if (!socket || listen(socket.get(), backlog) != 0) return failed(what, errno);
    const std::uint16_t port = local_port(socket.get());
    return OpenPlace{std::move(socket), port};
}

std::filesystem::path everybodys_socket(const std::filesystem::path& socket) {
    return socket.native() + ".read";
}

tl::expected<OpenPlace, std::string> open_place(const UnixPlace& place) {
    const auto& path = place.path;
    const std::string what = path.string() + " cannot be made";
    sockaddr_un address{};
    if (path.native().size() >= sizeof address.sun_path) return failed(what, ENAMETOOLONG);
    address.sun_family = AF_UNIX;
    std::memcpy(address.sun_path, path.c_str(), path.native().size());
    const auto* name = reinterpret_cast<const sockaddr*>(&address);
    base::Descriptor socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    if (!socket) return failed(what, errno);
    struct stat status {};
    if (lstat(path.c_str(), &status) == 0) {
        if (!S_ISSOCK(status.st_mode))
            return tl::make_unexpected(what + ": there is something else with that name, take it away");
        if (connect(socket.get(), name, sizeof address) == 0) return failed(what, EADDRINUSE);
        unlink(path.c_str());
    }
    const mode_t mode = place.everybody ? 0666 : 0600;
    if (bind(socket.get(), name, sizeof address) != 0 || chmod(path.c_str(), mode) != 0 ||
        listen(socket.get(), backlog) != 0)
        return tl::make_unexpected("cannot make " + base::file_fault(path, base::last_error()));
    return OpenPlace{std::move(socket), 0};
}

}  // namespace postern::agent
