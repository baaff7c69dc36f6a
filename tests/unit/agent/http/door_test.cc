#include "agent/http/door.h"

#include <catch2/catch.hpp>
#include <condition_variable>
#include <mutex>
#include <thread>

#include "tests/unit/agent/http/raw_client.h"
#include "tests/unit/relay/folder.h"
#include "tests/unit/stepped_clock.h"
#include "tests/unit/sync/primary/certificate.h"

using namespace postern;
using namespace postern::agent;
using namespace postern::tests;
using namespace std::chrono_literals;

namespace {

/// What waits until it is opened.
class Barrier {
public:
    void wait() {
        std::unique_lock lock(mutex_);
        ++inside_;
        changed_.notify_all();
        changed_.wait(lock, [this] { return open_; });
    }
    void open() {
        const std::lock_guard lock(mutex_);
        open_ = true;
        changed_.notify_all();
    }
    void wait_for(std::size_t inside) {
        std::unique_lock lock(mutex_);
        changed_.wait(lock, [&] { return inside_ >= inside; });
    }

private:
    std::mutex mutex_;
    std::condition_variable changed_;
    std::size_t inside_ = 0;
    bool open_ = false;
};

constexpr std::size_t large = 16 << 20;  // more than the system takes off us

class Running {
public:
    explicit Running(HttpDoorLimits limits = {}, bool tls = false, const base::Clock* clock = nullptr) {
        if (tls) {
            write_certificate(folder_.path() / "certificate", folder_.path() / "key", "localhost",
                              "DNS:localhost");
            relay::TlsSettings settings;
            settings.certificate = folder_.path() / "certificate";
            settings.private_key = folder_.path() / "key";
            tls_ = relay::net::server_context(settings);
        }
        HttpHost host;
        host.judge = [this](const auto& request, const auto&) { return judge(request); };
        host.admit = [this](const HttpPeer& peer) {
            return peer.address == "127.0.0.66" ? std::nullopt : std::optional(tls_);
        };
        host.malformed = [this](const HttpPeer& peer, std::string_view what) {
            const std::lock_guard lock(mutex_);
            malformed_.push_back(peer.address + ' ' + std::string(what));
        };
        door_.emplace(relay::HostPort{"127.0.0.1", 0}, limits, std::move(host),
                      clock == nullptr ? system_clock_ : *clock);
        door_->start();
    }
    ~Running() { barrier.open(); }

    std::uint16_t port() const { return door_->port(); }
    bool stop(std::chrono::milliseconds grace) { return door_->stop(grace); }
    std::vector<std::string> malformed() {
        const std::lock_guard lock(mutex_);
        return malformed_;
    }
    std::string get(const std::string& path, const std::string& from = "127.0.0.1") {
        return exchange(port(), "GET " + path + " HTTP/1.1\r\nHost: h\r\n\r\n", from);
    }

    Barrier barrier;

private:
    HttpTask judge(const HttpRequest& request) {
        const auto& path = request.path;
        if (path == "/refused") return {refusal(413, "no")};
        HttpTask task{[this, path](const std::string& body) {
            if (path == "/barrier" || path == "/operator-barrier") barrier.wait();
            if (path == "/throws") throw std::runtime_error("secret detail");
            return Answer{200, path == "/large" ? std::string(large, 'x') : path + body, "text/plain", ""};
        }};
        task.operators = path.starts_with("/operator");
        task.body = request.body().value_or(0);
        return task;
    }

    const base::SystemClock system_clock_;
    Folder folder_;
    relay::net::TlsContext tls_;
    std::mutex mutex_;
    std::vector<std::string> malformed_;
    std::optional<HttpDoor> door_;
};

const std::string get = "GET /quick HTTP/1.1\r\nHost: h\r\n\r\n";

std::string post(std::size_t length, const std::string& more = "") {
    return "POST /body HTTP/1.1\r\nHost: h\r\nContent-Length: " + std::to_string(length) + "\r\n" + more +
           "\r\n";
}

}  // namespace

TEST_CASE("a body is read in full, and nothing behind it", "[door]") {
    Running running;
    CHECK_THAT(exchange(running.port(), post(5) + "hello"), Catch::EndsWith("/bodyhello"));
    const auto two = exchange(running.port(), post(5) + "hello" + get);
    CHECK_THAT(two, Catch::StartsWith("HTTP/1.1 200 OK\r\n") &&
                        Catch::Contains("\r\nConnection: close\r\n") && Catch::EndsWith("/bodyhello"));
    CHECK_THAT(exchange(running.port(), "HEAD /quick HTTP/1.1\r\nHost: h\r\n\r\n"),
               Catch::Contains("Content-Length: 6\r\n") && Catch::EndsWith("\r\n\r\n"));
}

TEST_CASE("whoever waits for 100 gets it, once, and nobody else", "[door]") {
    Running running;
    const std::string expect = "Expect: 100-Continue\r\n";
    RawClient client(running.port());
    client.send(post(5, expect));
    CHECK(client.receive_until("\r\n\r\n") == "HTTP/1.1 100 Continue\r\n\r\n");
    client.send("hello");
    CHECK_THAT(client.receive(), Catch::StartsWith("HTTP/1.1 200 ") && Catch::EndsWith("/bodyhello"));
    CHECK_THAT(exchange(running.port(), post(5, expect) + "hello"), Catch::StartsWith("HTTP/1.1 200 "));
    CHECK_THAT(exchange(running.port(), post(0, expect)), Catch::StartsWith("HTTP/1.1 200 "));
    CHECK_THAT(exchange(running.port(), "POST /refused HTTP/1.1\r\nHost: h\r\n" + expect + "\r\n"),
               Catch::StartsWith("HTTP/1.1 413 "));
}

TEST_CASE("what is no request is answered and told, an exception shows nothing of itself", "[door]") {
    Running running;
    CHECK_THAT(exchange(running.port(), "GET /quick\r\n"),
               Catch::StartsWith("HTTP/1.1 400 ") && Catch::Contains("this is no HTTP request"));
    CHECK(running.malformed() == std::vector<std::string>{"127.0.0.1 request"});
    CHECK_THAT(running.get("/throws"), Catch::StartsWith("HTTP/1.1 500 ") && !Catch::Contains("secret"));
}

TEST_CASE("over TLS the answer comes whole, with a proper end", "[door]") {
    Running running({}, true);
    for (const std::size_t body : {0u, 100'000u}) {
        RawClient client(running.port());
        REQUIRE(client.secure());
        client.send(post(body) + std::string(body, 'x'));
        CHECK(client.receive().ends_with("/body" + std::string(body, 'x')));
        CHECK(client.ended());
    }
    RawClient refused(running.port());
    REQUIRE(refused.secure());
    refused.send("POST /refused HTTP/1.1\r\nHost: h\r\nContent-Length: 500000\r\n\r\n" +
                 std::string(500'000, 'x'));
    CHECK_THAT(refused.receive(), Catch::StartsWith("HTTP/1.1 413 "));
}

TEST_CASE("whoever does not speak TLS where it is spoken is told", "[door]") {
    Running running({}, true);
    exchange(running.port(), get);
    CHECK(running.malformed() == std::vector<std::string>{"127.0.0.1 TLS handshake"});
}

TEST_CASE("a stranger is closed unheard, and told of no further", "[door]") {
    Running running;
    CHECK(running.get("/quick", "127.0.0.66").empty());
    CHECK(running.malformed().empty());
}

TEST_CASE("whoever is slow at the handshake, the head or the body is ended", "[door]") {
    SteppedClock clock;
    Running plain({}, false, &clock), secure({}, true, &clock);
    const auto start = GENERATE(as<std::string>(), "", "GET /qui", "GET /quick HTTP/1.1\r\nHost: h\r\n");
    RawClient client(secure.port());
    REQUIRE(client.secure());
    client.send(start);
    const std::jthread passing([&](const std::stop_token& stop) {
        while (!stop.stop_requested()) {
            clock.step(HttpDoorLimits().request);
            std::this_thread::sleep_for(1ms);
        }
    });
    CHECK(client.receive().empty());
    CHECK(exchange(plain.port(), start).empty());
    CHECK(exchange(plain.port(), post(5) + "hell").empty());
    CHECK(exchange(secure.port(), "").empty());
    CHECK(exchange(secure.port(), std::string("\x16\x03\x01\x02\x00\x01", 6)).empty());
    RawClient dripping(plain.port());
    while (dripping.send("G")) std::this_thread::sleep_for(1ms);
}

TEST_CASE("an answer that nobody takes is given up in time", "[door]") {
    HttpDoorLimits limits;
    limits.answers = 2 * large;
    SteppedClock clock;
    Running running(limits, false, &clock);
    RawClient lying(running.port());
    lying.send("GET /large HTTP/1.1\r\nHost: h\r\n\r\n");
    lying.receive_until("\r\n\r\n");
    CHECK_THAT(running.get("/quick"), Catch::StartsWith("HTTP/1.1 503 "));
    do clock.step(limits.answer);
    while (running.get("/quick").find(" 503 ") != std::string::npos);
    CHECK(lying.receive().size() < large);
}

TEST_CASE("a thousand connections from one address do not end another's", "[door]") {
    const SteppedClock clock;  // however long the thousand take to come
    Running running({}, false, &clock);
    RawClient honest(running.port(), "127.0.0.3");
    honest.send(post(5) + "he");
    std::vector<RawClient> many;
    for (int at = 0; at < 1000; ++at) {
        many.emplace_back(running.port(), "127.0.0.2");
        many.back().send("GET /quick HTTP/1.1\r\n");
    }
    honest.send("llo");
    CHECK_THAT(honest.receive(), Catch::EndsWith("/bodyhello"));
    CHECK_THAT(running.get("/quick", "127.0.0.3"), Catch::EndsWith("/quick"));
    CHECK_THAT(running.get("/quick", "127.0.0.2"), Catch::EndsWith("/quick"));
}

TEST_CASE("work that stands still keeps the workers from nobody else", "[door]") {
    HttpDoorLimits limits;
    limits.waiting = 4;
    Running running(limits);
    std::vector<RawClient> standing;
    const auto stand = [&](const std::string& path) {
        standing.emplace_back(running.port(), "127.0.0.2");
        standing.back().send("GET " + path + " HTTP/1.1\r\nHost: h\r\n\r\n");
    };
    for (std::size_t at = 0; at < door_workers; ++at) stand("/barrier");
    running.barrier.wait_for(door_workers);
    std::size_t sent_away = 0;
    std::vector<std::thread> others;
    std::mutex mutex;
    for (int at = 0; at < 12; ++at)
        others.emplace_back([&] {
            if (running.get("/barrier", "127.0.0.2").find(" 503 ") == std::string::npos) return;
            const std::lock_guard lock(mutex);
            if (++sent_away == 8) running.barrier.open();  // all but those that there is room for
        });
    CHECK_THAT(running.get("/quick", "127.0.0.3"), Catch::EndsWith("/quick"));
    CHECK_THAT(running.get("/operator", "127.0.0.2"), Catch::EndsWith("/operator"));
    for (auto& other : others) other.join();
    CHECK(sent_away == 8);
    for (auto& client : standing) CHECK_THAT(client.receive(), Catch::EndsWith("/barrier"));
}

TEST_CASE("operators find workers though the readers' stand still, and the other way round", "[door]") {
    Running running;
    const bool operators = GENERATE(true, false);
    std::vector<RawClient> standing;
    for (std::size_t at = 0; at < 3 * door_workers; ++at) {
        standing.emplace_back(running.port(), "127.0.0." + std::to_string(2 + at));
        standing.back().send(std::string("GET ") + (operators ? "/operator-barrier" : "/barrier") +
                             " HTTP/1.1\r\nHost: h\r\n\r\n");
    }
    running.barrier.wait_for(2 * door_workers);
    CHECK_THAT(running.get(operators ? "/quick" : "/operator"), Catch::StartsWith("HTTP/1.1 200 "));
}

TEST_CASE("whoever lets his answers lie gets no more, and keeps none from others", "[door]") {
    HttpDoorLimits limits;
    limits.answers = 4 * large;
    Running running(limits);
    std::vector<RawClient> lying;
    for (int at = 0; at < 2; ++at) {
        lying.emplace_back(running.port(), "127.0.0.2");
        lying.back().send("GET /large HTTP/1.1\r\nHost: h\r\n\r\n");
        CHECK_THAT(lying.back().receive_until("\r\n\r\n"), Catch::StartsWith("HTTP/1.1 200 "));
    }
    CHECK_THAT(running.get("/quick", "127.0.0.2"), Catch::StartsWith("HTTP/1.1 503 "));
    CHECK(running.get("/large", "127.0.0.3").size() > large);
}

TEST_CASE("a door stops at once, whoever is in it", "[door]") {
    Running running({}, GENERATE(true, false));
    RawClient silent(running.port()), dripping(running.port());
    dripping.send("GET ");
    CHECK(running.stop(1h));
    CHECK(silent.receive().empty());
    CHECK(dripping.receive().empty());
}

TEST_CASE("a door that stops lets work end and gives its answer", "[door]") {
    Running running;
    RawClient client(running.port());
    client.send("GET /barrier HTTP/1.1\r\nHost: h\r\n\r\n");
    running.barrier.wait_for(1);
    CHECK_FALSE(running.stop(1ms));
    running.barrier.open();
    CHECK_THAT(client.receive(), Catch::EndsWith("/barrier"));
    CHECK(running.stop(1h));
}
