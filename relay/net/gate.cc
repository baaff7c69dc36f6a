#include "relay/net/gate.h"

#include <list>

#include "relay/net/timer.h"
#include "sync/base/ensure.h"

namespace postern::relay::net {

struct Gate::Pass::Inside {
    struct Waiting {
        Timer timer;
        base::Moment until;
    };
    std::size_t count = 0;
    std::list<Waiting*> waiting;
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
    for (auto* one : inside_->waiting) one->timer.cancel();
}

awaitable<bool> Gate::empty(base::Moment until) {
    struct Listed : Pass::Inside::Waiting {
        Listed(io_context& io, const base::Clock& clock_, base::Moment time, std::shared_ptr<Pass::Inside> of)
            : Waiting{{io, clock_}, time}, clock(clock_), inside(std::move(of)) {
            inside->waiting.push_back(this);
        }
        ~Listed() { inside->waiting.remove(this); }
        const base::Clock& clock;
        std::shared_ptr<Pass::Inside> inside;
    } waiting(io_, clock_, until, inside_);
    while (waiting.inside->count > 0 && waiting.clock.now() < waiting.until) {
        waiting.timer.expires_at(waiting.until);
        co_await waiting.timer.async_wait(as_value);
    }
    co_return waiting.inside->count == 0;
}

void Gate::give_up() {
    for (auto* one : inside_->waiting) {
        one->until = base::Moment::min();
        one->timer.cancel();
    }
}

}  // namespace postern::relay::net
