// A place where HTTP requests without bodies are answered: a TCP port or a Unix socket.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <variant>

#include "agent/http/answer.h"
#include "agent/http/place.h"
#include "agent/http/request.h"
#include "relay/settings.h"

namespace postern::agent {

/// The account at the other end of a Unix socket, as the kernel knows it (SO_PEERCRED); none over TCP.
struct HttpPeer {
    std::optional<uid_t> user;
};

/// What is to be done about a request: the answer at once, or work for a worker. Those who may change things
/// have workers of their own, so that readers never keep them waiting.
struct HttpTask {
    std::variant<Answer, std::function<Answer()>> what;
    bool operators = false;
};

constexpr std::size_t door_workers = 3;  // for readers, and as many for operators

struct HttpDoorLimits {
    std::size_t connections = 128;  // one more, and who has been longest without a request gives way
    std::chrono::milliseconds request{5000};  // from the first moment to the last octet of a request
    std::chrono::milliseconds answer{20000};  // to take the answer
    std::size_t waiting = 32;                 // requests for the workers
    std::size_t answers = 64 << 20;           // octets of answers not taken yet; then readers are sent away
};

/// A connection occupies nothing but its place until its request is there in full, and is bounded in octets
/// and total time; one request each. Runs on threads of its own.
class HttpDoor {
public:
    using Place = std::variant<relay::HostPort, UnixPlace>;
    using Judge =
        std::function<HttpTask(const HttpRequest&, const HttpPeer&)>;  // quick; on the door's thread
    using Opened = std::function<void(const std::string& trouble)>;    // "" after trouble: open

    /// Tries to open the place; when that fails, again every few seconds once started. `opened` is told when
    /// that changes.
    HttpDoor(Place place, HttpDoorLimits limits, Judge judge, Opened opened);
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
