#include "relay/security/sts_fetch.h"
#include "relay/net/outside.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <asio/use_future.hpp>
#include <catch2/catch.hpp>

#include "relay/net/error.h"
#include "tests/unit/relay/folder.h"
#include "tests/unit/relay/https_server.h"
#include "tests/unit/shortage.h"
#include "tests/unit/sync/primary/certificate.h"

using namespace postern::relay;
using net::Asked;
using namespace postern::tests;
using namespace std::chrono_literals;

namespace {

const std::string policy = "version: STSv1\nmode: enforce\nmx: mx.example.com\nmax_age: 86400\n";

std::string reply(const std::string& body, const std::string& type = "text/plain") {
    return "HTTP/1.1 200 OK\r\nContent-Type: " + type + "\r\nContent-Length: " + std::to_string(body.size()) +
           "\r\n\r\n" + body;
}

class World {
public:
    explicit World(HttpsServer::Say say, const std::string& name = "DNS:mta-sts.example.com") {
        write_certificate(certificate(), folder_.path() / "key", "mta-sts.example.com", name);
        server_ =
            std::make_unique<HttpsServer>("127.0.0.1", certificate(), folder_.path() / "key", std::move(say));
        tls.ca_file = certificate();
        limits.port = server_->port();
    }
    explicit World(const std::string& said, const std::string& name = "DNS:mta-sts.example.com")
        : World([said](HttpsServer::Client& client) { client.write(said); }, name) {}

    StsFetch fetcher() {
        StsFetch out(io, clock, outside, limits);
        out.terms(net::client_context(tls), ignored, std::make_shared<OwnAddresses>());
        return out;
    }
    std::future<StsFetched> ask(StsFetch& fetch, const std::vector<std::string>& literals = {"127.0.0.1"}) {
        std::vector<asio::ip::address> addresses;
        for (const auto& literal : literals) addresses.push_back(asio::ip::make_address(literal));
        return asio::co_spawn(io, fetch.get("example.com", addresses), asio::use_future);
    }
    StsFetched get(const std::vector<std::string>& literals = {"127.0.0.1"}) {
        StsFetch fetch = fetcher();
        auto answer = ask(fetch, literals);
        run();
        return answer.get();
    }
    void run() {
        io.restart();
        io.run();
    }
    HttpsServer& server() { return *server_; }
    std::filesystem::path certificate() const { return folder_.path() / "certificate"; }

    net::io_context io{1};
    postern::base::SystemClock clock;
    net::SystemOutside outside;
    StsFetchLimits limits;
    TlsSettings tls;
    std::vector<Network> ignored;

private:
    Folder folder_;
    std::unique_ptr<HttpsServer> server_;
};

bool has(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

/// A port nobody listens on at 127.0.0.2, and which stays free while this object is there.
class ClosedPort {
public:
    explicit ClosedPort(std::uint16_t port) : socket_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
        sockaddr_in own{};
        own.sin_family = AF_INET;
        own.sin_port = htons(port);
        ::inet_pton(AF_INET, "127.0.0.2", &own.sin_addr);
        held_ = ::bind(socket_, reinterpret_cast<const sockaddr*>(&own), sizeof own) == 0;
    }
    bool held() const { return held_; }  // else somebody has it
    ~ClosedPort() { ::close(socket_); }
    ClosedPort(const ClosedPort&) = delete;
    ClosedPort& operator=(const ClosedPort&) = delete;

private:
    int socket_;
    bool held_ = false;
};

}  // namespace

TEST_CASE("a policy is fetched from where it has to be", "[sts_fetch]") {
    World world(reply(policy, "Text/Plain; charset=utf-8"));
    const StsFetched answer = world.get();
    CHECK(answer.asked == Asked::answered);
    CHECK(answer.why.empty());
    CHECK(answer.body == policy);
    REQUIRE(world.server().requests().size() == 1);
    const std::string request = world.server().requests().front();
    CHECK(request.starts_with("GET /.well-known/mta-sts.txt HTTP/1.1\r\n"));
    CHECK(has(request, "\r\nHost: mta-sts.example.com:" + std::to_string(world.server().port()) + "\r\n"));
    CHECK(world.server().names_asked() == std::vector<std::string>{"mta-sts.example.com"});
}

TEST_CASE("a policy in chunks, and one up to the end of the connection", "[sts_fetch]") {
    const std::string head = "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n";
    SECTION("chunks") {
        World world(head +
                    "Transfer-Encoding: chunked\r\n\r\n5\r\nversi\r\n4;x=y\r\non: \r\n0\r\nX: y\r\n\r\n");
        CHECK(world.get().body == "version: ");
    }
    SECTION("end of the connection") {
        World world(head + "\r\n" + policy);
        CHECK(world.get().body == policy);
    }
    SECTION("a server that stays") {
        World world([](HttpsServer::Client& client) {
            client.write(reply(policy));
            client.wait_until_gone();
        });
        CHECK(world.get().body == policy);
    }
}

TEST_CASE("the first address that answers is taken", "[sts_fetch]") {
    // Of a server's port, which is free at its address, others may have the namesake at another.
    auto found = std::make_unique<World>(reply(policy));
    auto closed = std::make_unique<ClosedPort>(found->server().port());
    while (!closed->held()) {
        found = std::make_unique<World>(reply(policy));
        closed = std::make_unique<ClosedPort>(found->server().port());
    }
    World& world = *found;
    CHECK(world.get({"127.0.0.2", "127.0.0.1"}).body == policy);
    CHECK(world.get({"::ffff:127.0.0.1"}).body == policy);
    const StsFetched none = world.get({"127.0.0.2"});
    CHECK(none.asked == Asked::failed);
    CHECK(none.body.empty());
    CHECK(has(none.why, "cannot connect"));
    CHECK(world.get({}).asked == Asked::failed);
    CHECK(has(world.get({}).why, "no address"));
}

TEST_CASE("no host is asked where no name of others leads", "[sts_fetch]") {
    World world(reply(policy));
    world.ignored = {Network{"127.0.0.0", 16}};
    const StsFetched answer = world.get();
    CHECK(answer.asked == Asked::failed);
    CHECK(has(answer.why, "leads to 127.0.0.1"));
    CHECK(world.server().names_asked().empty());
    CHECK(world.get({"::ffff:127.0.0.1"}).asked == Asked::failed);
    world.ignored = {Network{"127.0.0.0", 31}};
    CHECK(world.get({"127.0.0.1", "127.0.0.3"}).asked == Asked::failed);
    CHECK(world.server().names_asked().empty());
}

TEST_CASE("what is missing here is told apart from what the host does not do", "[sts_fetch]") {
    const auto after = [](std::errc code) { return net::asked_after(std::make_error_code(code)); };
    for (auto code : {std::errc::too_many_files_open, std::errc::too_many_files_open_in_system,
                      std::errc::no_buffer_space, std::errc::not_enough_memory})
        CHECK(after(code) == Asked::not_made);
    for (auto code : {std::errc::network_unreachable, std::errc::address_not_available,
                      std::errc::address_family_not_supported})
        CHECK(after(code) == Asked::unreachable);
    for (auto code : {std::errc::connection_refused, std::errc::host_unreachable, std::errc::timed_out,
                      std::errc::operation_not_permitted})
        CHECK(after(code) == Asked::failed);
    CHECK(net::asked_after(net::Error::timed_out) == Asked::failed);
    if (sanitized) return;
    World world(reply(policy));
    REQUIRE(world.get().asked == Asked::answered);  // what the loop needs for itself is open then
    StsFetch fetch = world.fetcher();
    auto answer = world.ask(fetch);
    {
        const NoDescriptors none;
        world.run();
    }
    const StsFetched got = answer.get();
    CAPTURE(got.why);
    CHECK(got.asked == Asked::not_made);
    CHECK(has(got.why, "Too many open files"));
}

TEST_CASE("replies that are no policy", "[sts_fetch]") {
    const std::string head = "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n";
    const std::vector<std::pair<std::string, std::string>> bad = {
        {"HTTP/1.1 301 Moved\r\nLocation: https://127.0.0.1/\r\n\r\n", "answers 301"},
        {"HTTP/1.1 404 Not Found\r\nContent-Length: 99999999\r\n\r\n", "answers 404"},
        {"HTTP/1.1 500 Oops\r\n\r\n", "answers 500"},
        {reply(policy, "text/html"), "type of content"},
        {reply(policy, "text/plainer"), "type of content"},
        {"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nabcd", "type of content"},
        {reply(""), "empty policy"},
        {reply(std::string((64 << 10) + 1, 'x')), "larger than allowed"},
        {head + "\r\n" + std::string((64 << 10) + 1, 'x'), "larger than allowed"},
        {head + "Transfer-Encoding: chunked\r\n\r\n10001\r\n", "larger than allowed"},
        {head + "Transfer-Encoding: chunked\r\n\r\n-2\r\n", "size of a chunk"},
        {head + "Content-Length: 10\r\n\r\nabc", "ended before"},
        {head + "Content-Length: ten\r\n\r\nabc", "unclear"},
        {head + "Content-Length: 3\r\nContent-Length: 4\r\n\r\nabc", "unclear"},
        {head + "Content-Encoding: gzip\r\n\r\nabc", "compressed content"},
        {"220 mail.example.com ESMTP\r\n", "no HTTP"},
        {head + "X: " + std::string(17000, 'x') + "\r\n\r\n", "header is larger"},
        {std::string(17000, 'x'), "header is larger"},
        {head + "\r\n", "empty policy"},
        {"", "ended before"},
    };
    for (const auto& [said, words] : bad) {
        CAPTURE(said.substr(0, 120));
        World world(said);
        const StsFetched answer = world.get();
        CHECK(answer.asked == Asked::failed);
        CHECK(answer.body.empty());
        CAPTURE(answer.why);
        CHECK(has(answer.why, words));
        CHECK(world.server().requests().size() == 1);
    }
}

TEST_CASE("certificates that prove nothing", "[sts_fetch]") {
    for (const char* name : {"DNS:www.example.com", "DNS:example.com", "DNS:*.mta-sts.example.com",
                             "DNS:mta-*.example.com", "IP:127.0.0.1", ""}) {
        CAPTURE(name);
        World world(reply(policy), name);
        const StsFetched answer = world.get();
        CHECK(answer.body.empty());
        CHECK(has(answer.why, "certificate not valid"));
        CHECK(world.server().requests().empty());
    }
    SECTION("a wildcard does") {
        World world(reply(policy), "DNS:*.example.com");
        CHECK(world.get().body == policy);
    }
    SECTION("an issuer nobody trusts") {
        World world(reply(policy)), other(reply(policy));
        world.tls.ca_file = other.certificate();
        CHECK(has(world.get().why, "certificate not valid"));
    }
}

TEST_CASE("a server that drips does not outlast the time there is", "[sts_fetch]") {
    World world([](HttpsServer::Client& client) {
        client.write("HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n\r\n");
        while (client.write("x")) std::this_thread::sleep_for(5ms);
    });
    world.limits.total = 300ms;
    const StsFetched answer = world.get();
    CHECK(answer.body.empty());
    CHECK((has(answer.why, "too long") || has(answer.why, "larger")));
}

TEST_CASE("a server that talks without end is stopped by size", "[sts_fetch]") {
    World world([](HttpsServer::Client& client) {
        while (client.write("HTTP/1.1 100 Continue\r\n\r\n")) {
        }
    });
    CHECK(has(world.get().why, "header is larger"));
}

TEST_CASE("a body that ends with the connection must be seen to end", "[sts_fetch]") {
    World world([](HttpsServer::Client& client) {
        client.write("HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n\r\n" + policy);
        client.cut_off();
    });
    CHECK(has(world.get().why, "ended before"));
}

TEST_CASE("a host that says nothing does not outlast the time there is", "[sts_fetch]") {
    World world([](HttpsServer::Client& client) { client.wait_until_gone(); });
    world.limits.total = 300ms;
    const StsFetched answer = world.get();
    CHECK(answer.asked == Asked::failed);
    CHECK(has(answer.why, "too long"));
}

/// Takes connections on a port of some address, and never says a word.
class SilentHost {
public:
    SilentHost(net::io_context& io, const std::string& address, std::uint16_t port)
        : acceptor_(io, net::Endpoint(asio::ip::make_address(address), port)) {}
    /// Once there are so many.
    net::awaitable<void> take(std::size_t count) {
        while (taken_.size() < count) {
            auto [error, socket] = co_await acceptor_.async_accept(net::as_value);
            if (error) co_return;
            taken_.push_back(std::move(socket));
        }
    }
    std::size_t waiting() {
        acceptor_.non_blocking(true);
        std::error_code error;
        for (;;) {
            net::tcp::socket socket = acceptor_.accept(error);
            if (error) return taken_.size();
            taken_.push_back(std::move(socket));
        }
    }

private:
    net::tcp::acceptor acceptor_;
    std::vector<net::tcp::socket> taken_;
};

TEST_CASE("hosts of one network that say nothing take the places of no other", "[sts_fetch]") {
    World world(reply(policy));
    world.limits.at_once = 4;
    world.limits.each = 2;
    world.limits.line = 10;
    world.limits.total = 60s;
    StsFetch fetch = world.fetcher();
    SilentHost one(world.io, "127.0.9.1", world.limits.port), two(world.io, "127.0.9.2", world.limits.port);
    std::vector<std::future<StsFetched>> held;
    for (int at = 0; at < 20; ++at)
        held.push_back(world.ask(fetch, {at % 2 == 0 ? "127.0.9.1" : "127.0.9.2"}));
    auto asked = asio::co_spawn(world.io, one.take(1), asio::use_future);
    auto asked_too = asio::co_spawn(world.io, two.take(1), asio::use_future);
    auto answer = world.ask(fetch);
    while (answer.wait_for(0s) != std::future_status::ready) world.io.run_one_for(10ms);
    CHECK(answer.get().body == policy);
    while (asked.wait_for(0s) != std::future_status::ready) world.io.run_one_for(10ms);
    while (asked_too.wait_for(0s) != std::future_status::ready) world.io.run_one_for(10ms);
    CHECK(one.waiting() + two.waiting() == 2);
    std::size_t not_made = 0;
    for (auto& each : held)
        if (each.wait_for(0s) == std::future_status::ready) {
            CHECK(each.get().asked == Asked::not_made);
            ++not_made;
        }
    CHECK(not_made > 0);
}

TEST_CASE("whoever waits in line gets the place of one that ends", "[sts_fetch]") {
    World world(reply(policy));
    world.limits.at_once = 1;
    world.limits.total = 300ms;
    StsFetch fetch = world.fetcher();
    SilentHost silent(world.io, "127.0.9.1", world.limits.port);
    auto first = world.ask(fetch, {"127.0.9.1"}), second = world.ask(fetch);
    world.run();
    CHECK(first.get().asked == Asked::failed);
    CHECK(second.get().body == policy);
}
