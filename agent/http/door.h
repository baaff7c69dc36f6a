// A place where HTTP requests are answered: a TCP port, with or without TLS, or a Unix socket.
#pragma once

#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <variant>

#include "agent/http/answer.h"
#include "agent/http/peer.h"
#include "agent/http/place.h"
#include "agent/http/request_reader.h"
#include "relay/net/tls.h"
#include "relay/settings.h"
#include "sync/base/clock.h"

namespace postern::agent {

/// What is to be done about a request: the answer at once, or work for a worker, which is given the body.
/// Those who may change things have workers of their own, so that readers never keep them waiting.
struct HttpTask {
    using Work = std::function<Answer(std::string body)>;
    std::variant<Answer, Work> what;
    bool operators = false;
    std::size_t body = 0;  // octets of it that are read first
};

/// Whose door it is. Everything is quick and happens on the door's thread, but for work, and for what
/// `opened` is told at first.
struct HttpHost {
    std::function<HttpTask(const HttpRequest&, const HttpPeer&)> judge;
    /// Why the place is not open; "" when it is, after trouble.
    std::function<void(const std::string& trouble)> opened = [](const auto&) {};
    /// The TLS to speak, null: none; nullopt: the connection is closed before anything is read from it.
    std::function<std::optional<relay::net::TlsContext>(const HttpPeer&)> admit = [](const auto&) {
        return std::optional<relay::net::TlsContext>(relay::net::TlsContext());
    };
    /// What somebody said that is no HTTP: "TLS handshake" or "request".
    std::function<void(const HttpPeer&, std::string_view what)> malformed = [](const auto&, auto) {};
};

constexpr std::size_t door_workers = 3;  // that one peer may have: for readers, and as many for operators

struct HttpDoorLimits {
    std::size_t connections = 128;            // one more, and somebody has to give way
    std::chrono::milliseconds request{5000};  // from the first moment to the last octet of a request
    std::chrono::milliseconds answer{20000};  // to take the answer
    std::size_t waiting = 32;                 // requests of one peer for the workers
    std::size_t answers = 64 << 20;           // octets of answers not taken yet; one peer may have half
    HttpRequestBounds bounds;
};

/// A connection occupies nothing but its place until its request is there in full, and is bounded in octets
/// and total time; one request each. When all places are taken, whoever holds most of them gives one up: of
/// the one that has been longest without a request, else of the one that has been longest at its answer. Runs
/// on threads of its own.
class HttpDoor {
public:
    using Place = std::variant<relay::HostPort, UnixPlace>;

    /// Tries to open the place; when that fails, again every few seconds once started.
    HttpDoor(Place place, HttpDoorLimits limits, HttpHost host, const base::Clock& clock);
    ~HttpDoor();  // stop()
    HttpDoor(const HttpDoor&) = delete;
    HttpDoor& operator=(const HttpDoor&) = delete;

    void start();
    /// Cuts off what is going on. False when work is still done after `grace`: the door must then not be
    /// destroyed.
    bool stop(std::chrono::milliseconds grace);

    std::string trouble() const;  // why it is not open, "" when it is; any thread
    std::uint16_t port() const;   // of a TCP place; 0 while it is not open

private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

}  // namespace postern::agent
