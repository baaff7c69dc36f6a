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
    : io_(io), clock_(clock), turns_(2 * each, each, 2 * line), threads_(2 * each) {}

void Workers::begin() {
    while (auto next = turns_.next()) {
        next->second->begun = true;
        next->second->turn.cancel();
    }
}

awaitable<std::optional<Answer>> Workers::perform(std::string asker, std::function<Answer()> work) {
    const auto waiting = std::make_shared<Waiting>(io_, clock_);
    if (!turns_.push(asker, waiting)) co_return std::nullopt;
    begin();
    while (!waiting->begun) co_await waiting->turn.async_wait(as_value);
    if (!pool_) pool_.emplace(threads_);
    auto safe = [work = std::move(work)] {
        try {
            return work();
        } catch (const std::exception&) {  // nothing of it is shown
            return refusal(500, "this failed inside of the gateway");
        }
    };
    Answer answer = co_await relay::net::elsewhere(*pool_, std::move(safe));
    turns_.done(asker);
    begin();
    co_return answer;
}

}  // namespace postern::agent
