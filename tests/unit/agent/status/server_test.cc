#include "agent/status/server.h"

#include <arpa/inet.h>
#include <sys/socket.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <mutex>
#include <stdexcept>

#include "agent/command/client.h"
#include "agent/http/answer.h"
#include "agent/http/place.h"
#include "tests/unit/agent/status/fake_control.h"

using namespace postern;
using namespace postern::agent;

namespace {

const std::string token(64, 'a');

/// Breaks, as nothing should, and is about to stop.
struct Broken : FakeControl {
    std::string metrics() override { throw std::runtime_error("secret detail"); }
    std::optional<relay::MessageView> show(const std::string&) override { throw Stopping(); }
    relay::Applied retry(const Filter&) override { return relay::Applied{5}; }
};

int connected(std::uint16_t port) {
    const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    REQUIRE(connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0);
    return fd;
}

struct Folder {
    std::filesystem::path path;
    Folder() {
        std::string name = "/tmp/postern-status-XXXXXX";
        path = mkdtemp(name.data());
    }
    ~Folder() { std::filesystem::remove_all(path); }
};

struct Running {
    Folder folder;
    std::filesystem::path socket = folder.path / "control.sock";
    std::mutex mutex;
    std::vector<std::string> troubles;
    Broken gateway;
    StatusServer server;
    explicit Running(uid_t account = geteuid(), StatusTerms terms = {token, "", false},
                     std::uint16_t port = 0)
        : server(
              {{"127.0.0.1", port}, socket, account}, std::move(terms), gateway.control(),
              [this](const std::string& where, const std::string& text) {
                  const std::lock_guard lock(mutex);
                  troubles.push_back(where + ' ' + text);
              },
              gateway.clock) {
        server.start();
    }
    ~Running() { server.stop(std::chrono::hours(1)); }

    tl::expected<Received, std::string> ask(const Call& what) { return call(socket, what, gateway.clock); }

    /// Sends the octets as they are and gives everything until the server closes.
    std::string exchange(const std::string& octets) {
        const int fd = connected(server.port());
        send(fd, octets.data(), octets.size(), MSG_NOSIGNAL);
        std::string answer;
        char buffer[4096];
        for (ssize_t got = 0; (got = recv(fd, buffer, sizeof buffer, 0)) > 0;)
            answer.append(buffer, static_cast<std::size_t>(got));
        close(fd);
        return answer;
    }

    std::string status_of(const std::string& octets) { return exchange(octets).substr(0, 12); }
};

}  // namespace

TEST_CASE("the status server answers over a port, and the commands over their socket") {
    Running running;
    CHECK(running.status_of("GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n") == "HTTP/1.1 200");
    CHECK(running.status_of("GET /healthz HTTP/1.1\r\nHost: [::1]:80\r\n\r\n") == "HTTP/1.1 200");
    const auto received = running.ask({"GET", "/healthz", {}});
    REQUIRE(received);
    CHECK(received->status == 200);
    CHECK(received->body == "alive\n");
    const Call retry{"POST", "/v1/queue/retry", {{"sender", "a&b =@x.example"}}};
    CHECK(running.ask(retry)->body.find("5") != std::string::npos);
    CHECK(running.status_of("POST /v1/sync HTTP/1.1\r\nHost: localhost\r\n\r\n") == "HTTP/1.1 401");
}

TEST_CASE("over the socket nobody but root and the account changes anything") {
    if (geteuid() == 0) return;  // whoever asks is root
    Running running(geteuid() + 1);
    CHECK(running.ask({"GET", "/healthz", {}})->status == 200);
    CHECK(running.ask({"POST", "/v1/sync", {}})->status == 401);
    CHECK(running.ask({"GET", "/v1/explain", {{"to", "bob@dest.example"}}})->status == 401);
}

TEST_CASE("reading can be made to need the token") {
    Running running(geteuid(), {token, "", true});
    const std::string host = " HTTP/1.1\r\nHost: localhost\r\n";
    CHECK(running.status_of("GET /healthz" + host + "\r\n") == "HTTP/1.1 200");
    CHECK(running.status_of("GET /v1/queue" + host + "\r\n") == "HTTP/1.1 401");
    CHECK(running.status_of("GET /" + host + "Authorization: Bearer " + token + "\r\n\r\n") ==
          "HTTP/1.1 200");
    running.server.reload({token, "", false});
    CHECK(running.status_of("GET /" + host + "\r\n") == "HTTP/1.1 200");
}

TEST_CASE("without a token nobody can show it, and the commands go on") {
    Running running(geteuid(), {"", "\"token\" does not hold a token", false});
    const auto answer =
        running.exchange("POST /v1/sync HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer \r\n\r\n");
    CHECK(answer.starts_with("HTTP/1.1 401"));
    CHECK(running.exchange("POST /v1/sync HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer x\r\n\r\n")
              .find("does not hold a token") != std::string::npos);
    CHECK(running.ask({"POST", "/v1/sync", {}})->status == 200);
    CHECK(running.server.troubles() ==
          std::vector<std::string>{"status.token_file \"token\" does not hold a token"});
    running.server.reload({token, "", false});
    CHECK(running.server.troubles().empty());
}

TEST_CASE("the word in front of the token is taken in any case") {
    Running running;
    const auto scheme = GENERATE("Bearer", "bearer", "BEARER");
    const std::string post = "POST /v1/sync HTTP/1.1\r\nHost: localhost\r\nAuthorization: ";
    CHECK(running.status_of(post + scheme + ' ' + token + "\r\n\r\n") == "HTTP/1.1 200");
    CHECK(running.status_of(post + scheme + token + "\r\n\r\n") == "HTTP/1.1 401");
    CHECK(running.status_of(post + "Basic " + token + "\r\n\r\n") == "HTTP/1.1 401");
}

TEST_CASE("who asks in a method that there is not is told which there are") {
    Running running;
    CHECK_THAT(
        running.exchange("PUT /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"),
        Catch::StartsWith("HTTP/1.1 405") && Catch::Contains("\r\nAllow: GET, HEAD, POST, DELETE\r\n"));
}

TEST_CASE("pages of other sites are not answered") {
    Running running;
    const std::string get = "GET /healthz HTTP/1.1\r\nHost: localhost:8025\r\n";
    CHECK(running.status_of(get + "Sec-Fetch-Site: cross-site\r\n\r\n") == "HTTP/1.1 403");
    CHECK(running.status_of(get + "Sec-Fetch-Site: same-site\r\n\r\n") == "HTTP/1.1 403");
    CHECK(running.status_of(get + "Origin: https://evil.example\r\n\r\n") == "HTTP/1.1 403");
    CHECK(running.status_of(get + "Origin: null\r\n\r\n") == "HTTP/1.1 403");
    CHECK(running.status_of(get + "Sec-Fetch-Site: none\r\n\r\n") == "HTTP/1.1 200");
    CHECK(running.status_of(get + "Origin: http://localhost:8025\r\n\r\n") == "HTTP/1.1 200");
}

TEST_CASE("what the status server does not want is refused before a body is read") {
    Running running;
    struct Case {
        std::string request, status;
    };
    const std::string host = "Host: localhost\r\n", bearer = "Authorization: Bearer " + token + "\r\n";
    const auto c = GENERATE_COPY(values<Case>({
        {"PUT /healthz HTTP/1.1\r\n" + host + "\r\n", "HTTP/1.1 405"},
        {"OPTIONS * HTTP/1.1\r\n" + host + "\r\n", "HTTP/1.1 4"},
        {"POST /v1/sync HTTP/1.1\r\n" + host + bearer + "Content-Length: 99999999\r\n\r\n", "HTTP/1.1 413"},
        {"POST /v1/sync HTTP/1.1\r\n" + host + bearer + "Transfer-Encoding: chunked\r\n\r\n", "HTTP/1.1 413"},
        {"POST /v1/sync HTTP/1.1\r\n" + host + bearer + "Content-Length: 0\r\n\r\n", "HTTP/1.1 200"},
        {"POST /v1/sync HTTP/1.1\r\n" + host + bearer + "\r\n", "HTTP/1.1 200"},
        {"DELETE /v1/queue HTTP/1.1\r\n" + host + bearer + "\r\n", "HTTP/1.1 400"},
        {"GET /healthz HTTP/1.1\r\nHost: evil.example\r\n\r\n", "HTTP/1.1 421"},
        {"GET /healthz HTTP/1.1\r\nHost: localhost\r\nHost: localhost\r\n\r\n", "HTTP/1.1 400"},
        {"GET /healthz HTTP/1.1\r\n\r\n", "HTTP/1.1 400"},
        {"GET /healthz HTTP/1.1\r\nHost: 192.0.2.1:8025\r\n\r\n", "HTTP/1.1 421"},
        {"GET /healthz HTTP/1.1\r\n" + host + "Range: bytes=0-\r\n\r\n", "HTTP/1.1 416"},
        {"GET /nothing HTTP/1.1\r\n" + host + "\r\n", "HTTP/1.1 404"},
        {"GET /healthz HTTP/1.1\r\n" + host + "Authorization: Bearer no\r\n\r\n", "HTTP/1.1 401"},
        {"POST /v1/sync HTTP/1.1\r\n" + host + "Expect: 100-continue\r\nContent-Length: 5\r\n\r\n",
         "HTTP/1.1 417"},
    }));
    CAPTURE(c.request);
    const auto status = running.status_of(c.request);
    CHECK(status.substr(0, c.status.size()) == c.status);
}

TEST_CASE("many headers are refused") {
    Running running;
    std::string request = "GET /healthz HTTP/1.1\r\nHost: localhost\r\n";
    for (int i = 0; i < 100; ++i) request += "X-" + std::to_string(i) + ": y\r\n";
    CHECK(running.status_of(request + "\r\n") == "HTTP/1.1 431");
}

TEST_CASE("a connection serves one request") {
    Running running;
    const std::string request = "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n";
    const auto answer = running.exchange(request + request);
    CHECK(answer.find("HTTP/1.1", 1) == std::string::npos);
}

TEST_CASE("an exception shows nothing of itself, a stopping gateway says so") {
    Running running;
    const auto broken = running.exchange("GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n");
    CHECK_THAT(broken, Catch::StartsWith("HTTP/1.1 500") && !Catch::Contains("secret"));
    const auto stopping = running.exchange("GET /v1/messages/1 HTTP/1.1\r\nHost: localhost\r\n\r\n");
    CHECK_THAT(stopping, Catch::StartsWith("HTTP/1.1 503") && Catch::Contains("the gateway is stopping"));
}

TEST_CASE("a place that is taken is told, and the other one serves") {
    Running first;
    const auto port = first.server.port();
    Running second(geteuid(), {token, "", false}, port);
    CHECK(second.server.port() == 0);
    CHECK(second.ask({"GET", "/healthz", {}})->status == 200);
    const std::lock_guard lock(second.mutex);
    REQUIRE(second.troubles.size() == 1);
    CHECK_THAT(second.troubles[0],
               Catch::StartsWith("status.address 127.0.0.1:" + std::to_string(port) + " cannot be bound"));
    CHECK(second.server.troubles().size() == 1);
}

TEST_CASE("a place that was taken is tried again, and told when it is had") {
    Running first;
    const auto port = first.server.port();
    Running second(geteuid(), {token, "", false}, port);
    REQUIRE(second.server.port() == 0);
    REQUIRE(first.server.stop(std::chrono::hours(1)));
    while (second.server.port() == 0) second.gateway.clock.step(std::chrono::seconds(5));
    CHECK(second.status_of("GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n") == "HTTP/1.1 200");
    CHECK(second.server.troubles().empty());
    const std::lock_guard lock(second.mutex);
    CHECK(second.troubles.back() == "status.address is open now");
}

TEST_CASE("a socket left by a gateway that was killed is replaced, a file is not") {
    Folder folder;
    const auto path = folder.path / "control.sock";
    const UnixPlace place{path};
    {
        const auto dead = open_place(place);
        REQUIRE(dead);
        CHECK_FALSE(open_place(place));  // somebody listens
    }
    REQUIRE(open_place(place));
    std::filesystem::remove(path);
    std::ofstream(path) << "mine";
    CHECK_FALSE(open_place(place));
    CHECK_FALSE(open_place(UnixPlace{folder.path / std::string(200, 'x')}));
}

TEST_CASE("clients that drip do not keep the others out") {
    Running running;
    std::vector<int> dripping;
    for (int i = 0; i < 300; ++i) {
        dripping.push_back(connected(running.server.port()));
        send(dripping.back(), "GET ", 4, MSG_NOSIGNAL);
    }
    CHECK(running.status_of("GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n") == "HTTP/1.1 200");
    for (const int fd : dripping) close(fd);
}

TEST_CASE("a header without end is cut off") {
    Running running;
    const int fd = connected(running.server.port());
    const std::string start = "GET /healthz HTTP/1.1\r\nX-A: ", more(64 << 10, 'a');
    send(fd, start.data(), start.size(), MSG_NOSIGNAL);
    std::size_t sent = 0;
    while (sent < (64u << 20) && send(fd, more.data(), more.size(), MSG_NOSIGNAL) > 0) sent += more.size();
    CHECK(sent < (64u << 20));
    close(fd);
}

TEST_CASE("nobody at the socket is said in words") {
    Folder folder;
    const auto received = call(folder.path / "control.sock", {"GET", "/healthz", {}}, tests::SteppedClock());
    REQUIRE_FALSE(received);
    CHECK_THAT(received.error(), Catch::Contains("no gateway answers at " + folder.path.string()));
}
