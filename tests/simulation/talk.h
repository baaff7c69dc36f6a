// A conversation in lines, as the peers of the gateway hold it.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "relay/net/timer.h"
#include "tests/simulation/wire.h"

namespace postern::simulation {

/// Used by one coroutine on the simulating thread.
class Talk {
public:
    Talk(io_context& io, const base::Clock& clock, Socket socket, std::chrono::seconds patience);
    ~Talk();
    Talk(const Talk&) = delete;
    Talk& operator=(const Talk&) = delete;

    /// The next one, without CRLF. None when the other end has gone, or nothing came within the patience.
    awaitable<std::optional<std::string>> line();
    awaitable<bool> say(std::string octets);    // false when the other end has gone
    std::size_t said() const { return said_; }  // octets, so far
    awaitable<void> pause(std::chrono::milliseconds time);
    void end();

private:
    struct Line;  // to the other end, with its watchdog
    void patient(bool yes);

    const base::Clock& clock_;
    const std::shared_ptr<Line> line_;
    const std::shared_ptr<relay::net::Timer> pause_;
    const std::chrono::seconds patience_;
    std::string buffer_;
    std::size_t said_ = 0;
};

/// The lines of DATA up to the final dot, without the stuffing; none when they do not end.
awaitable<std::optional<std::string>> read_content(Talk& talk);

/// As it goes over the wire behind DATA, with the final dot.
std::string stuffed(std::string_view content);

}  // namespace postern::simulation
