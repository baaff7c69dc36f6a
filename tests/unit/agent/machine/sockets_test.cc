#include "agent/machine/sockets.h"

#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>
#include <catch2/catch.hpp>

using namespace postern;
using namespace postern::agent;

namespace {

relay::ListenerSettings listener(const char* host, std::uint16_t port) {
    return {{host, port}, relay::ListenerTls::off, -1};
}

}  // namespace

TEST_CASE("passed sockets find their listener, however its address is written") {
    std::vector<relay::ListenerSettings> listeners{listener("0.0.0.0", 25), listener("0:0::1", 25)};
    REQUIRE(assign({{7, {"::1", 25}}, {8, {"0.0.0.0", 25}}}, listeners));
    CHECK(listeners[0].inherited_fd == 8);
    CHECK(listeners[1].inherited_fd == 7);
}

TEST_CASE("a passed socket that nobody wants is an error") {
    std::vector<relay::ListenerSettings> listeners{listener("0.0.0.0", 25)};
    const auto assigned = assign({{7, {"0.0.0.0", 587}}}, listeners);
    REQUIRE_FALSE(assigned);
    CHECK_THAT(assigned.error(), Catch::Contains("0.0.0.0:587"));
}

TEST_CASE("without systemd nothing is passed") {
    const auto sockets = passed_sockets();
    REQUIRE(sockets);
    CHECK(sockets->empty());
}

TEST_CASE("what remains is bound, and a taken place is reported with its address") {
    const int probe = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t length = sizeof address;
    REQUIRE(bind(probe, reinterpret_cast<sockaddr*>(&address), length) == 0);
    REQUIRE(getsockname(probe, reinterpret_cast<sockaddr*>(&address), &length) == 0);
    const std::uint16_t port = ntohs(address.sin_port);
    std::vector<relay::ListenerSettings> listeners{listener("127.0.0.1", port)};
    REQUIRE(listen(probe, 1) == 0);
    const auto taken = bind_remaining(listeners);
    REQUIRE_FALSE(taken);
    CHECK_THAT(taken.error(),
               Catch::Contains("127.0.0.1:" + std::to_string(port)) && Catch::Contains("in use"));
    close(probe);
    REQUIRE(bind_remaining(listeners));
    REQUIRE(listeners[0].inherited_fd >= 0);
    close(listeners[0].inherited_fd);
}
