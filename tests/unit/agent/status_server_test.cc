#include "agent/status_server.h"

#include <arpa/inet.h>
#include <sys/socket.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <stdexcept>

#include "agent/client.h"

using namespace postern;
using namespace postern::agent;

namespace {

const std::string token(64, 'a');

Operations operations() {
    Operations result;
    result.identity = {"0.1.0", "gw1.example.net", {}};
    result.not_ready = [] { return std::vector<std::string>(); };
    result.poll = [] {};
    result.metrics = []() -> std::string { throw std::runtime_error("secret detail"); };
    result.show = [](const std::string&) -> std::optional<relay::MessageView> { throw Stopping(); };
    result.retry = [](const relay::QueueFilter&) { return std::size_t{5}; };
    return result;
}

struct Running {
    StatusServer server{{"127.0.0.1", 0}, token, operations()};
    Running() { server.start(); }
    ~Running() { server.stop(std::chrono::hours(1)); }

    /// Sends the octets as they are and gives everything until the server closes.
    std::string exchange(const std::string& octets) {
        const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_port = htons(server.port());
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        REQUIRE(connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0);
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

TEST_CASE("the status server answers over a socket, to the commands' client too") {
    Running running;
    CHECK(running.status_of("GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n") == "HTTP/1.1 200");
    CHECK(running.status_of("GET /healthz HTTP/1.1\r\nHost: [::1]:80\r\n\r\n") == "HTTP/1.1 200");
    const auto received = call({"127.0.0.1", running.server.port()}, {"GET", "/healthz", {}, ""});
    REQUIRE(received);
    CHECK(received->status == 200);
    CHECK(received->body == "alive\n");
    const Call retry{"POST", "/v1/queue/retry", {{"sender", "a&b =@x.example"}}, token};
    CHECK(call({"127.0.0.1", running.server.port()}, retry)->body.find("5") != std::string::npos);
    CHECK(call({"127.0.0.1", running.server.port()}, {"POST", "/v1/sync", {}, "wrong"})->status == 401);
    CHECK(call({"127.0.0.1", running.server.port()}, {"POST", "/v1/sync", {}, ""})->status == 401);
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
        {"GET /healthz HTTP/1.1\r\nHost: localhost\r\nHost: localhost\r\n\r\n", "HTTP/1.1 421"},
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

TEST_CASE("a place that is taken is reported with its address") {
    Running running;
    const std::string place = "127.0.0.1:" + std::to_string(running.server.port());
    CHECK_THROWS_WITH(StatusServer({"127.0.0.1", running.server.port()}, token, operations()),
                      Catch::Contains(place));
}

TEST_CASE("a client that says nothing does not keep the others out") {
    Running running;
    const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(running.server.port());
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    REQUIRE(connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0);
    CHECK(running.status_of("GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n") == "HTTP/1.1 200");
    close(fd);
}

TEST_CASE("nobody at the address is said in words") {
    std::uint16_t port = 0;
    {
        Running running;
        port = running.server.port();
    }
    const auto received = call({"127.0.0.1", port}, {"GET", "/healthz", {}, ""});
    REQUIRE_FALSE(received);
    CHECK_THAT(received.error(), Catch::Contains("no gateway answers at 127.0.0.1:" + std::to_string(port)));
}
