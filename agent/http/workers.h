// Threads for what may take its time, shared fairly among those who ask for it.
#pragma once

#include <asio/thread_pool.hpp>
#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "agent/http/answer.h"
#include "relay/net/asio.h"
#include "relay/net/turns.h"
#include "sync/base/clock.h"

namespace postern::agent {

/// Used on one loop. Threads start with the first work.
class Workers {
public:
    /// One asker may have `each` things done at once, and `line` of them wait; nobody has more than is left
    /// to others.
    Workers(relay::net::io_context& io, const base::Clock& clock, std::size_t each, std::size_t line);

    /// What `work` gives, on a thread of its own, when it is the asker's turn; 500 when it throws. nullopt:
    /// too much of this asker's waits already.
    relay::net::awaitable<std::optional<Answer>> perform(std::string asker, std::function<Answer()> work);

private:
    struct Waiting;

    void begin();

    relay::net::io_context& io_;
    const base::Clock& clock_;
    relay::net::Turns<std::shared_ptr<Waiting>> turns_;
    std::size_t threads_;
    std::optional<asio::thread_pool> pool_;  // once there is work
};

}  // namespace postern::agent
