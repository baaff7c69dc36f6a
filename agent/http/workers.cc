#include "agent/http/workers.h"

#include <utility>

#include "relay/net/elsewhere.h"
#include "relay/net/timer.h"

namespace postern::agent {

using relay::net::as_value;
using relay::net::awaitable;

struct Workers::Waiting {
    Waiting(relay::net::io_context& io, const base::Clock& clock) : turn(io, clock) {}
    relay::net::Timer turn;  // is never over, but cancelled
    bool begun = false;
};

// Of what Turns has, one asker alone gets half.
Workers::Workers(relay::net::io_context& io, const base::Clock& clock, std::size_t each, std::size_t line)
    : io_(io), clock_(clock), turns_(2 * each, each, 2 * line) {
    idle_.reserve(2 * each);
}

void Workers::begin() {
    while (auto next = turns_.next()) {
        next->second->begun = true;
        next->second->turn.cancel();
    }
}

asio::thread_pool& Workers::idle_thread() {
    if (idle_.empty()) return threads_.emplace_back(1);
    asio::thread_pool& thread = *idle_.back();
    idle_.pop_back();
    return thread;
}

awaitable<std::optional<Answer>> Workers::perform(std::string asker, std::function<Answer()> work) {
    const auto waiting = std::make_shared<Waiting>(io_, clock_);
    if (!turns_.push(asker, waiting)) co_return std::nullopt;
    begin();
    while (!waiting->begun) co_await waiting->turn.async_wait(as_value);
    auto safe = [work = std::move(work)] {
        try {
            return work();
        } catch (const std::exception&) {  // nothing of it is shown
            return refusal(500, "this failed inside of the gateway");
        }
    };
    Answer answer;
    asio::thread_pool* thread = nullptr;
    try {
        thread = &idle_thread();
        answer = co_await relay::net::elsewhere(thread->get_executor(), std::move(safe));
    } catch (const std::exception&) {  // out of threads or memory: the turn must not be lost with it
        answer = refusal(503, "there is no thread for this at present: try again in a moment");
    }
    if (thread != nullptr) idle_.push_back(thread);
    turns_.done(asker);
    begin();
    co_return answer;
}

}  // namespace postern::agent
