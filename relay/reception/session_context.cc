#include "relay/reception/session_context.h"

#include "relay/net/timer.h"

namespace postern::relay {

namespace {

constexpr std::chrono::milliseconds answer_max{4'000};
constexpr std::uint64_t stranger_reserve = 256ull << 20;

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
    // The answer cancels the timer, so that a question that is never answered ends all the same.
    struct Question {
        Question(net::io_context& here, const base::Clock& by) : timer(here, by) {
            timer.expires_after(answer_max);
        }
        net::Timer timer;
        bool answered = false;
    };
    auto question = std::make_shared<Question>(io, clock);
    commons.ask_directory(address.mailbox(), address.domain,
                          [&here = io, weak = std::weak_ptr(question)](bool answered) {
                              asio::post(here, [weak, answered] {
                                  auto waiting = weak.lock();
                                  if (!waiting) return;
                                  waiting->answered = answered;
                                  waiting->timer.cancel();
                              });
                          });
    co_await question->timer.async_wait(net::as_value);
    co_return question->answered;
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
