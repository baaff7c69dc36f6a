#include "relay/delivery/alarms.h"

#include <algorithm>
#include <utility>

namespace postern::relay {

Alarms::Alarms(net::io_context& io, const base::Clock& clock, std::function<Time()> others,
               std::function<void()> tick)
    : clock_(clock), others_(std::move(others)), tick_(std::move(tick)), timer_(io, clock) {}

void Alarms::set(const SitePtr& site, Time at) {
    if (site->alarmed != Time{} && site->alarmed <= at) return;
    site->alarmed = at;
    push(Entry{at, site, {}});
}

void Alarms::set(const DestinationPtr& destination, Time at) { push(Entry{at, {}, destination}); }

void Alarms::push(Entry entry) {
    heap_.push_back(std::move(entry));
    std::push_heap(heap_.begin(), heap_.end(), std::greater<>());
    arm();
}

void Alarms::arm() {
    if (stopped_) return;
    Time next = others_();
    if (!heap_.empty()) next = std::min(next, heap_.front().at);
    if (next >= armed_) return;
    armed_ = next;
    auto pause = std::max(next - clock_.steady(), Time::duration(std::chrono::milliseconds(1)));
    timer_.expires_after(std::min<Time::duration>(pause, std::chrono::hours(1)));
    timer_.async_wait([this](std::error_code error) {
        if (!error) tick_();
    });
}

std::optional<Alarms::Alarm> Alarms::take(Time now) {
    if (heap_.empty() || heap_.front().at > now) return std::nullopt;
    std::pop_heap(heap_.begin(), heap_.end(), std::greater<>());
    Entry entry = std::move(heap_.back());
    heap_.pop_back();
    Alarm out{entry.site.lock(), entry.destination.lock()};
    if (out.site && out.site->alarmed <= now) out.site->alarmed = {};
    return out;
}

void Alarms::stop() {
    stopped_ = true;
    timer_.cancel();
}

}  // namespace postern::relay
