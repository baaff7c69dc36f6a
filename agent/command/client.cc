#include "agent/command/client.h"

#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <charconv>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <system_error>

#include "agent/http/place.h"
#include "agent/limits.h"
#include "agent/machine/privileges.h"
#include "sync/base/descriptor.h"
#include "sync/base/encoding.h"

namespace postern::agent {
namespace {

constexpr std::chrono::milliseconds patience{5'000};  // before that is said

std::string target(const Call& call) {
    std::string text = base::percent_encoded(call.path, "/");
    char separator = '?';
    for (const auto& [name, value] : call.parameters) {
        (text += separator)
            .append(base::percent_encoded(name))
            .append("=")
            .append(base::percent_encoded(value));
        separator = '&';
    }
    return text;
}

/// Whoever may put a socket there is root, the owner of the folder, or ourselves; anybody else's is a trap.
std::string stranger(int socket, const std::filesystem::path& path) {
    ucred peer{};
    socklen_t length = sizeof peer;
    struct stat folder {};
    if (getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &peer, &length) != 0 ||
        stat(path.parent_path().c_str(), &folder) != 0)
        return "it cannot be told who listens at " + path.string();
    if (peer.uid == 0 || peer.uid == geteuid() || peer.uid == folder.st_uid) return {};
    return "somebody else listens at " + path.string() + ": " + account_name(peer.uid);
}

std::string not_there(const std::filesystem::path& path, int error) {
    const std::string where = "no gateway answers at " + path.string() + ": ";
    if (error == EACCES) return where + "it is for root and the gateway's account; run this as root";
    if (error == EAGAIN) return where + "too many ask at once";
    return where +
           "it is not running, or runs with another configuration file (--config). Start it with \"systemctl "
           "start postern\"; why it stopped is in \"journalctl -u postern\"";
}

/// 0 or the error.
int connect_to(int socket, const std::filesystem::path& path) {
    sockaddr_un address{};
    if (path.native().size() >= sizeof address.sun_path) return ENAMETOOLONG;
    address.sun_family = AF_UNIX;
    std::memcpy(address.sun_path, path.c_str(), path.native().size());
    return connect(socket, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0 ? 0 : errno;
}

/// The time a call may take, by the clock of who calls.
struct Deadline {
    const base::Clock& clock;
    const base::Moment at = clock.now() + limits::command;

    /// False when it has come.
    bool wait(int socket, short events) const {
        const auto left = std::chrono::ceil<std::chrono::milliseconds>(at - clock.now());
        pollfd one{socket, events, 0};
        return left.count() > 0 && poll(&one, 1, static_cast<int>(left.count())) > 0;
    }
};

bool send_all(int socket, std::string_view octets, const Deadline& until) {
    while (!octets.empty()) {
        const auto sent = send(socket, octets.data(), octets.size(), MSG_NOSIGNAL);
        if (sent > 0) octets.remove_prefix(static_cast<std::size_t>(sent));
        if (sent < 0 && (errno != EAGAIN || !until.wait(socket, POLLOUT))) return false;
    }
    return true;
}

/// Everything until the other side closes. "" or what went wrong.
std::string receive_all(int socket, std::string& octets, const Deadline& until) {
    std::array<char, 65536> buffer{};
    // Whoever looks at a gateway that hangs should not think that it is the command.
    if (pollfd one{socket, POLLIN, 0}; poll(&one, 1, static_cast<int>(patience.count())) == 0)
        std::fprintf(stderr, "the gateway has not answered yet; it is waited for at most %lld seconds\n",
                     static_cast<long long>(limits::command.count()));
    for (;;) {
        if (!until.wait(socket, POLLIN)) return "did not answer in time";
        const auto got = recv(socket, buffer.data(), buffer.size(), 0);
        if (got == 0) return {};
        if (got < 0 && errno == EAGAIN) continue;
        if (got < 0) return "broke off: " + std::generic_category().message(errno);
        octets.append(buffer.data(), static_cast<std::size_t>(got));
        if (octets.size() > limits::answer) return "answers with more than 64 MiB";
    }
}

/// nullopt-like status 0 when it is no answer of ours.
Received parsed(std::string_view octets) {
    Received received;
    constexpr std::string_view empty_line = "\r\n\r\n", start = "HTTP/1.1 ";
    auto end = octets.find(empty_line);
    if (end == std::string_view::npos || !octets.starts_with(start)) return received;
    const auto digits = octets.substr(start.size(), 3);
    std::from_chars(digits.data(), digits.data() + digits.size(), received.status);
    end += empty_line.size();
    received.body = octets.substr(end);
    const auto head = octets.substr(0, end);
    constexpr std::string_view length = "\r\nContent-Length: ";
    std::size_t announced = 0;
    if (const auto at = head.find(length); at != std::string_view::npos)
        std::from_chars(head.data() + at + length.size(), head.data() + head.size(), announced);
    if (announced != received.body.size()) received.status = 0;
    return received;
}

}  // namespace

bool somebody_listens(const std::filesystem::path& socket) {
    const base::Descriptor fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    const int error = fd ? connect_to(fd.get(), socket) : errno;
    return error != ENOENT && error != ENOTDIR && error != ECONNREFUSED;
}

tl::expected<Received, std::string> call(const std::filesystem::path& socket, const Call& call,
                                         const base::Clock& clock) {
    const base::Descriptor fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    std::filesystem::path path = socket;
    int error = fd ? connect_to(fd.get(), path) : errno;
    if (error == EACCES) error = connect_to(fd.get(), path = everybodys_socket(socket));
    if (error != 0) return tl::unexpected(not_there(socket, error));
    if (auto why = stranger(fd.get(), path); !why.empty()) return tl::make_unexpected(std::move(why));
    const Deadline until{clock};
    const std::string head = call.method + ' ' + target(call) + " HTTP/1.1\r\nHost: localhost\r\n\r\n";
    std::string octets;
    std::string broken = send_all(fd.get(), head, until) ? "" : "did not take the question";
    // What it said before it broke off may say why.
    const auto fault = receive_all(fd.get(), octets, until);
    if (broken.empty()) broken = fault;
    auto received = parsed(octets);
    if (received.status == 0)
        return tl::unexpected("the gateway at " + path.string() + ' ' +
                              (broken.empty() ? "did not answer in full" : broken) +
                              "; is it overloaded or stopping?");
    return received;
}

}  // namespace postern::agent
