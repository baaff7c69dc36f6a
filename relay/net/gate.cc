#include "relay/net/gate.h"

#include <list>

#include "relay/net/timer.h"
#include "sync/base/ensure.h"

namespace postern::relay::net {

struct Gate::Pass::Inside {
    std::size_t count = 0;
    std::list<Timer*> waiting;
};

Gate::Gate(io_context& io, const base::Clock& clock)
    : io_(io), clock_(clock), inside_(std::make_shared<Pass::Inside>()) {}

Gate::Pass Gate::enter() {
    ++inside_->count;
    return Pass(inside_);
}

std::size_t Gate::inside() const { return inside_->count; }

Gate::Pass::~Pass() {
    if (!inside_) return;
    ENSURE(inside_->count > 0, "whoever leaves had entered");
    if (--inside_->count > 0) return;
    for (auto* one : inside_->waiting) one->cancel();
}

awaitable<bool> Gate::empty(base::Moment until) {
    struct Waiting {
        Waiting(io_context& io, const base::Clock& clock_, std::shared_ptr<Pass::Inside> of)
            : clock(clock_), inside(std::move(of)), timer(io, clock) {
            inside->waiting.push_back(&timer);
        }
        ~Waiting() { inside->waiting.remove(&timer); }
        const base::Clock& clock;
        std::shared_ptr<Pass::Inside> inside;
        Timer timer;
    } waiting(io_, clock_, inside_);
    while (waiting.inside->count > 0 && waiting.clock.now() < until) {
        waiting.timer.expires_at(until);
        co_await waiting.timer.async_wait(as_value);
    }
    co_return waiting.inside->count == 0;
}

}  // namespace postern::relay::net
