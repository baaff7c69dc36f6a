#include "tests/unit/relay/name_server.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>
#include <sstream>
#include <stdexcept>

extern char** environ;

namespace postern::tests {

namespace {

class Socket {
public:
    explicit Socket(int type) : number_(::socket(AF_INET, type | SOCK_CLOEXEC, 0)) {}
    ~Socket() { ::close(number_); }
    Socket(const Socket&) = delete;
    Socket& operator=(const Socket&) = delete;
    int get() const { return number_; }

private:
    int number_;
};

sockaddr_in loopback(std::uint16_t port) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return address;
}

bool bind(const Socket& socket, std::uint16_t port) {
    const sockaddr_in address = loopback(port);
    return ::bind(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
}

void run(const std::string& command) {
    if (std::system(command.c_str()) != 0) throw std::runtime_error("failed: " + command);
}

/// The zone "." has a name that is no file's.
std::string file_of(const Zone& zone) { return zone.name == "." ? "root" : zone.name; }

std::string content(const std::filesystem::path& path) {
    std::ostringstream text;
    text << std::ifstream(path).rdbuf();
    return text.str();
}

}  // namespace

std::uint16_t free_dns_port() {
    for (int attempt = 0; attempt < 100; ++attempt) {
        const Socket datagrams(SOCK_DGRAM), stream(SOCK_STREAM);
        if (!bind(datagrams, 0)) continue;
        sockaddr_in own{};
        socklen_t length = sizeof own;
        ::getsockname(datagrams.get(), reinterpret_cast<sockaddr*>(&own), &length);
        if (bind(stream, ntohs(own.sin_port))) return ntohs(own.sin_port);
    }
    throw std::runtime_error("no port is free");
}

NameServer::NameServer(const std::vector<Zone>& zones) : zones_(zones), port_(free_dns_port()) {
    std::ofstream configuration(folder_.path() / "nsd.conf");
    const std::string folder = folder_.path().string();
    configuration << "server:\n  ip-address: 127.0.0.1@" << port_
                  << "\n  server-count: 1\n  username: \"\"\n  zonesdir: \"" << folder
                  << "\"\n  database: \"\"\n  pidfile: \"" << folder << "/pid\"\n  xfrdfile: \"" << folder
                  << "/xfrd\"\n  zonelistfile: \"" << folder << "/zones\"\n  xfrdir: \"" << folder
                  << "\"\nremote-control:\n  control-enable: no\n";
    for (const auto& zone : zones_) {
        write_zone(zone);
        if (zone.signing) sign(zone);
        configuration << "zone:\n  name: \"" << zone.name << "\"\n  zonefile: \"" << file_of(zone)
                      << (zone.signing ? ".signed" : "") << "\"\n";
    }
    configuration.close();
    start();
}

NameServer::~NameServer() { stop(); }

relay::DnsSettings NameServer::settings() const {
    relay::DnsSettings settings;
    for (const auto& zone : zones_)
        if (zone.name == ".")
            settings.servers = {"127.0.0.1@" + std::to_string(port_)};
        else
            settings.stub.emplace_back(zone.name, "127.0.0.1@" + std::to_string(port_));
    settings.trust_anchors = folder_.path() / "anchors";
    return settings;
}

void NameServer::write_zone(const Zone& zone) const {
    std::ofstream file(folder_.path() / file_of(zone));
    file << "$ORIGIN " << zone.name << (zone.name == "." ? "" : ".")
         << "\n$TTL 60\n@ SOA ns hostmaster 1 3600 600 86400 60\n@ NS ns\nns A 127.0.0.1\n";
    for (const auto& record : zone.records) file << record << '\n';
}

void NameServer::sign(const Zone& zone) const {
    const std::string enter = "cd " + folder_.path().string() + " && ";
    run(enter + "key=$(ldns-keygen -a ECDSAP256SHA256 -k " + zone.name +
        ") && cat $key.ds >> anchors && ldns-signzone " + file_of(zone) + " $key");
    if (zone.tampered.first.empty()) return;
    const std::filesystem::path path = folder_.path() / (file_of(zone) + ".signed");
    std::string text = content(path);
    const std::size_t at = text.find(zone.tampered.first);
    if (at == std::string::npos) throw std::runtime_error(zone.tampered.first + " is not in " + zone.name);
    text.replace(at, zone.tampered.first.size(), zone.tampered.second);
    std::ofstream(path) << text;
}

void NameServer::start() {
    const std::string configuration = (folder_.path() / "nsd.conf").string(),
                      log = (folder_.path() / "log").string();
    posix_spawn_file_actions_t actions{};
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, 1, log.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600);
    posix_spawn_file_actions_adddup2(&actions, 1, 2);
    std::string arguments[] = {"/usr/sbin/nsd", "-d", "-c", configuration};
    char* argv[] = {arguments[0].data(), arguments[1].data(), arguments[2].data(), arguments[3].data(),
                    nullptr};
    const int error = ::posix_spawn(&process_, argv[0], &actions, nullptr, argv, environ);
    posix_spawn_file_actions_destroy(&actions);
    if (error != 0) throw std::runtime_error("nsd cannot be started");
    while (!answers())
        if (::waitpid(process_, nullptr, WNOHANG) != 0) {
            process_ = -1;
            throw std::runtime_error("nsd ended: " + content(log));
        }
}

/// One question for the last zone's SOA; waits a moment for the answer.
bool NameServer::answers() const {
    std::string query("\x42\x42\0\0\0\1\0\0\0\0\0\0", 12);
    std::istringstream labels(zones_.back().name == "." ? std::string() : zones_.back().name);
    for (std::string label; std::getline(labels, label, '.');)
        query += static_cast<char>(label.size()) + label;
    query += std::string("\0\0\6\0\1", 5);
    const Socket socket(SOCK_DGRAM);
    const sockaddr_in address = loopback(port_);
    if (::connect(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0)
        return false;
    if (::send(socket.get(), query.data(), query.size(), MSG_NOSIGNAL) < 0) return false;
    pollfd waiting{socket.get(), POLLIN, 0};
    if (::poll(&waiting, 1, 50) <= 0) return false;
    char reply[512];
    return ::recv(socket.get(), reply, sizeof reply, 0) > 12 && (reply[3] & 0x0f) == 0 && reply[7] > 0;
}

void NameServer::stop() {
    if (process_ < 0) return;
    ::kill(process_, SIGTERM);
    ::waitpid(process_, nullptr, 0);
}

}  // namespace postern::tests
