// Threads for what may take its time, shared fairly among those who ask for it.
#pragma once

#include <asio/thread_pool.hpp>
#include <cstddef>
#include <functional>
#include <list>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "agent/http/answer.h"
#include "relay/net/asio.h"
#include "relay/net/turns.h"
#include "sync/base/clock.h"

namespace postern::agent {

/// Used on one loop. A thread starts when there is work and none is idle.
class Workers {
public:
    /// One asker may have `each` things done at once, and `line` of them wait; nobody has more than is left
    /// to others.
    Workers(relay::net::io_context& io, const base::Clock& clock, std::size_t each, std::size_t line);

    /// What `work` gives, on a thread of its own, when it is the asker's turn; 500 when it throws, 503 when
    /// there is no thread for it. nullopt: too much of this asker's waits already.
    relay::net::awaitable<std::optional<Answer>> perform(std::string asker, std::function<Answer()> work);

private:
    struct Waiting;

    void begin();
    asio::thread_pool& idle_thread();  // throws when none can be had

    relay::net::io_context& io_;
    const base::Clock& clock_;
    relay::net::Turns<std::shared_ptr<Waiting>> turns_;
    // Pools of one: of several threads the first would wait for ever when the second cannot be started.
    std::list<asio::thread_pool> threads_;
    std::vector<asio::thread_pool*> idle_;
};

}  // namespace postern::agent
