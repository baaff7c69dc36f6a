#include "agent/policy_fetch.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <future>

#include "tests/unit/agent/https_server.h"
#include "tests/unit/relay/folder.h"
#include "tests/unit/sync/certificate.h"

using namespace postern::agent;
using namespace postern::tests;
using namespace std::chrono_literals;

namespace {

const std::string policy = "version: STSv1\nmode: enforce\nmx: mx.example.com\nmax_age: 86400\n";

std::string reply(const std::string& body, const std::string& type = "text/plain") {
    return "HTTP/1.1 200 OK\r\nContent-Type: " + type + "\r\nContent-Length: " + std::to_string(body.size()) +
           "\r\n\r\n" + body;
}

struct Answer {
    std::string body, fault;
};

class World {
public:
    explicit World(HttpsServer::Say say, const std::string& name = "DNS:mta-sts.example.com") {
        write_certificate(certificate(), folder_.path() / "key", "mta-sts.example.com", name);
        server_ =
            std::make_unique<HttpsServer>("127.0.0.1", certificate(), folder_.path() / "key", std::move(say));
        settings.ca_file = certificate();
        settings.port = server_->port();
    }
    explicit World(const std::string& said, const std::string& name = "DNS:mta-sts.example.com")
        : World([said](HttpsServer::Client& client) { client.write(said); }, name) {}

    Answer get(const std::vector<std::string>& addresses = {"127.0.0.1"}) {
        PolicyFetch fetch(settings);
        return ask(fetch, addresses).get();
    }
    static std::future<Answer> ask(PolicyFetch& fetch,
                                   const std::vector<std::string>& addresses = {"127.0.0.1"}) {
        auto promise = std::make_shared<std::promise<Answer>>();
        auto future = promise->get_future();
        fetch("example.com", addresses, [promise](std::string body, std::string fault) {
            promise->set_value(Answer{std::move(body), std::move(fault)});
        });
        return future;
    }
    HttpsServer& server() { return *server_; }
    std::filesystem::path certificate() const { return folder_.path() / "certificate"; }

    PolicyFetchSettings settings;

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
        REQUIRE(::bind(socket_, reinterpret_cast<const sockaddr*>(&own), sizeof own) == 0);
    }
    ~ClosedPort() { ::close(socket_); }
    ClosedPort(const ClosedPort&) = delete;
    ClosedPort& operator=(const ClosedPort&) = delete;

private:
    int socket_;
};

}  // namespace

TEST_CASE("a policy is fetched from where it has to be", "[policy_fetch]") {
    World world(reply(policy, "Text/Plain; charset=utf-8"));
    const Answer answer = world.get();
    CHECK(answer.fault.empty());
    CHECK(answer.body == policy);
    REQUIRE(world.server().requests().size() == 1);
    const std::string request = world.server().requests().front();
    CHECK(request.starts_with("GET /.well-known/mta-sts.txt HTTP/1.1\r\n"));
    CHECK(has(request, "\r\nHost: mta-sts.example.com\r\n"));
    CHECK(world.server().names_asked() == std::vector<std::string>{"mta-sts.example.com"});
}

TEST_CASE("a policy in chunks, and one up to the end of the connection", "[policy_fetch]") {
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

TEST_CASE("the first address that answers is taken", "[policy_fetch]") {
    World world(reply(policy));
    const ClosedPort closed(world.server().port());
    CHECK(world.get({"127.0.0.2", "127.0.0.1"}).body == policy);
    const Answer none = world.get({"127.0.0.2"});
    CHECK(none.body.empty());
    CHECK(has(none.fault, "cannot connect"));
    CHECK(has(world.get({}).fault, "no address"));
    CHECK(has(world.get({"mta-sts.example.com"}).fault, "no address"));
}

TEST_CASE("replies that are no policy", "[policy_fetch]") {
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
        {head + "Content-Encoding: gzip\r\n\r\nabc", "compressed"},
        {"220 mail.example.com ESMTP\r\n", "no HTTP"},
        {head + "X: " + std::string(17000, 'x') + "\r\n\r\n", "header is larger"},
        {std::string(17000, 'x'), "header is larger"},
        {"", "ended before"},
    };
    for (const auto& [said, words] : bad) {
        CAPTURE(said.substr(0, 120));
        World world(said);
        const Answer answer = world.get();
        CHECK(answer.body.empty());
        CAPTURE(answer.fault);
        CHECK(has(answer.fault, words));
        CHECK(world.server().requests().size() == 1);
    }
}

TEST_CASE("certificates that prove nothing", "[policy_fetch]") {
    for (const char* name : {"DNS:www.example.com", "DNS:example.com", "DNS:*.mta-sts.example.com",
                             "DNS:mta-*.example.com", "IP:127.0.0.1", ""}) {
        CAPTURE(name);
        World world(reply(policy), name);
        const Answer answer = world.get();
        CHECK(answer.body.empty());
        CHECK(has(answer.fault, "certificate is not valid"));
        CHECK(world.server().requests().empty());
    }
    SECTION("a wildcard does") {
        World world(reply(policy), "DNS:*.example.com");
        CHECK(world.get().body == policy);
    }
    SECTION("an issuer nobody trusts") {
        World world(reply(policy)), other(reply(policy));
        world.settings.ca_file = other.certificate();
        CHECK(has(world.get().fault, "certificate is not valid"));
    }
    SECTION("a CA file that is none") {
        PolicyFetchSettings settings;
        settings.ca_file = "/nonexistent";
        CHECK_THROWS_WITH(PolicyFetch(settings), Catch::Contains("/nonexistent"));
    }
}

TEST_CASE("a server that drips does not outlast the time there is", "[policy_fetch]") {
    World world([](HttpsServer::Client& client) {
        client.write("HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n\r\n");
        while (client.write("x")) std::this_thread::sleep_for(5ms);
    });
    world.settings.total = 300ms;
    const Answer answer = world.get();
    CHECK(answer.body.empty());
    CHECK((has(answer.fault, "too long") || has(answer.fault, "larger")));
}

TEST_CASE("a server that talks without end is stopped by size", "[policy_fetch]") {
    World world([](HttpsServer::Client& client) {
        while (client.write("HTTP/1.1 100 Continue\r\n\r\n")) {
        }
    });
    CHECK(has(world.get().fault, "header is larger"));
}

TEST_CASE("the line is bounded, and stopping answers everybody in it", "[policy_fetch]") {
    World world([](HttpsServer::Client& client) { client.wait_until_gone(); });
    world.settings.workers = 1;
    world.settings.waiting = 2;
    PolicyFetch fetch(world.settings);
    auto first = World::ask(fetch);
    while (world.server().requests().empty()) std::this_thread::yield();
    auto second = World::ask(fetch), third = World::ask(fetch), fourth = World::ask(fetch);
    REQUIRE(fourth.wait_for(0s) == std::future_status::ready);
    CHECK(has(fourth.get().fault, "too many"));
    CHECK(second.wait_for(0s) == std::future_status::timeout);
    fetch.stop();
    for (auto* answer : {&first, &second, &third}) {
        REQUIRE(answer->wait_for(0s) == std::future_status::ready);
        CHECK(has(answer->get().fault, "interrupted"));
    }
    CHECK(World::ask(fetch).get().fault == "interrupted");
    fetch.stop();
}
