#include "agent/http_place.h"

#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <system_error>

#include "agent/address_text.h"
#include "agent/sockets.h"

namespace postern::agent {
namespace {

constexpr int backlog = 128;

std::string system_text(int error) { return std::generic_category().message(error); }

tl::unexpected<std::string> failed(int fd, const std::string& what, int error) {
    if (fd >= 0) close(fd);
    return tl::make_unexpected(what + ": " + system_text(error));
}

}  // namespace

tl::expected<OpenPlace, std::string> open_place(const relay::HostPort& address) {
    const std::string what = format_host_port(address) + " cannot be bound";
    const int fd = bound_socket(address);
    if (fd < 0 || listen(fd, backlog) != 0) return failed(fd, what, errno);
    return OpenPlace{fd, local_port(fd)};
}

std::filesystem::path everybodys_socket(const std::filesystem::path& socket) {
    return socket.native() + ".read";
}

tl::expected<OpenPlace, std::string> open_place(const UnixPlace& place) {
    const auto& path = place.path;
    const std::string what = path.string() + " cannot be made";
    sockaddr_un address{};
    if (path.native().size() >= sizeof address.sun_path) return failed(-1, what, ENAMETOOLONG);
    address.sun_family = AF_UNIX;
    std::memcpy(address.sun_path, path.c_str(), path.native().size());
    const auto* name = reinterpret_cast<const sockaddr*>(&address);
    const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0) return failed(fd, what, errno);
    struct stat status {};
    if (lstat(path.c_str(), &status) == 0) {
        if (!S_ISSOCK(status.st_mode)) return failed(fd, what, EEXIST);
        if (connect(fd, name, sizeof address) == 0) return failed(fd, what, EADDRINUSE);
        unlink(path.c_str());
    }
    const mode_t mode = place.everybody ? 0666 : 0600;
    if (bind(fd, name, sizeof address) != 0 || chmod(path.c_str(), mode) != 0 || listen(fd, backlog) != 0)
        return failed(fd, what, errno);
    return OpenPlace{fd, 0};
}

}  // namespace postern::agent
