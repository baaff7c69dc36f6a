#include "relay/reception/session_context.h"

#include "relay/net/timer.h"

namespace postern::relay {

namespace {

constexpr std::chrono::milliseconds answer_max{4'000};
constexpr std::uint64_t stranger_reserve = 256ull << 20;

/// Asks by `put`, and waits for the answer: that cancels the timer, so that a question that is never answered
/// ends all the same.
template <class Put>
net::awaitable<bool> answer_of(net::io_context& io, const base::Clock& clock, std::chrono::milliseconds most,
                               Put put) {
    struct Question {
        Question(net::io_context& here, const base::Clock& by, std::chrono::milliseconds most)
            : timer(here, by) {
            timer.expires_after(most);
        }
        net::Timer timer;
        bool answered = false;
    };
    auto question = std::make_shared<Question>(io, clock, most);
    put([&io, weak = std::weak_ptr(question)](bool answered) {
        asio::post(io, [weak, answered] {
            auto waiting = weak.lock();
            if (!waiting) return;
            waiting->answered = answered;
            waiting->timer.cancel();
        });
    });
    co_await question->timer.async_wait(net::as_value);
    co_return question->answered;
}

}  // namespace

Commons::Commons(net::io_context& io, const net::Machine& machine, Spool& spool_, Volume& volume_,
                 Screening& screening_, Observer& observer_)
    : clock(machine.clock),
      spool(spool_),
      observer(observer_),
      refusals(observer),
      volume(volume_),
      screening(screening_),
      files(machine.workers.writing),
      room(io, clock, spool, files) {}

net::awaitable<bool> SessionContext::ask(Address address) {
    if (!commons.ask_directory) co_return true;
    co_return co_await answer_of(io, clock, answer_max, [&](auto done) {
        commons.ask_directory(address.mailbox(), address.domain, std::move(done));
    });
}

net::awaitable<bool> SessionContext::ask_gateways(base::Moment until) {
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(until - clock.now());
    if (!commons.ask_gateways || left.count() <= 0) co_return false;
    const bool answered = co_await answer_of(io, clock, left, [&](auto done) {
        commons.ask_gateways([done = std::move(done)]() mutable { done(true); });
    });
    co_return answered&& clock.now() < until;
}

Decision SessionContext::admission(std::uint64_t size, bool stranger) const {
    if (std::string why = spool.unhealthy(); !why.empty()) {
        Decision out = refuse(Rule::disk_fails);
        out.reason = std::move(why);
        return out;
    }
    const std::uint64_t minimum = settings->accept.minimum_free;
    const std::uint64_t left = stranger ? 8 * minimum + stranger_reserve : minimum;
    if (commons.room.octets() < left + size) return refuse(Rule::minimum_free);
    Decision out;
    out.reply = Reply{250, {2, 0, 0}, "ok"};
    return out;
}

}  // namespace postern::relay
