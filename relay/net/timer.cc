#include "relay/net/timer.h"

namespace postern::relay::net {

void Timer::expires_at(base::Moment until) {
    expiry_ = until;
    base::Alarms* alarms = clock_.alarms();
    timer_.expires_at(alarms == nullptr ? until : base::Moment::max());
    if (alarms == nullptr) return;
    alarm_ = std::make_shared<Alarm>(Alarm{*this});
    // What the kernel's clock has behind it in any case ends the wait.
    auto end = [weak = std::weak_ptr(alarm_)] {
        const auto alarm = weak.lock();
        if (!alarm) return;
        *alarm->rung = true;
        alarm->timer.timer_.expires_at(base::Moment::min());
    };
    alarm_->set = alarms->set(until, [executor = timer_.get_executor(), end] { asio::post(executor, end); });
}

}  // namespace postern::relay::net
