// Waiting for a time by the clock that was given.
#pragma once

#include <memory>
#include <utility>

#include "relay/net/asio.h"
#include "sync/base/clock.h"

namespace postern::relay::net {

/// As asio::steady_timer, which it is where the kernel's timers go by the clock; elsewhere the clock's alarms
/// end a wait. Expires never until it is told when. Used on its loop; any thread may move the clock.
class Timer {
public:
    Timer(const asio::any_io_executor& executor, const base::Clock& clock)
        : clock_(clock), timer_(executor, base::Moment::max()) {}
    Timer(io_context& io, const base::Clock& clock) : Timer(io.get_executor(), clock) {}
    Timer(const Timer&) = delete;
    Timer& operator=(const Timer&) = delete;

    /// Whoever waits already goes on with an error, as after cancel().
    void expires_at(base::Moment until);
    void expires_after(base::Moment::duration time) { expires_at(clock_.now() + time); }
    base::Moment expiry() const { return expiry_; }
    void cancel() { timer_.cancel(); }

    /// `void(std::error_code)`: none when the time has come.
    template <class Token>
    auto async_wait(Token&& token) {
        return asio::async_initiate<Token, void(std::error_code)>(
            [this](auto handler) {
                if (clock_.alarms() == nullptr) return timer_.async_wait(std::move(handler));
                timer_.async_wait([rung = alarm_ ? alarm_->rung : nullptr,
                                   handler = std::move(handler)](std::error_code error) mutable {
                    std::move(handler)(rung && *rung ? std::error_code() : error);
                });
            },
            token);
    }

private:
    struct Alarm {
        Timer& timer;
        std::shared_ptr<bool> rung = std::make_shared<bool>(false);
        std::shared_ptr<void> set{};
    };

    const base::Clock& clock_;
    asio::steady_timer timer_;
    base::Moment expiry_ = base::Moment::max();
    std::shared_ptr<Alarm> alarm_;  // only where the kernel's timers do not go by the clock
};

}  // namespace postern::relay::net
