#include "sync/polling/schedule.h"

#include <algorithm>
#include <utility>

#include "sync/limits.h"

namespace postern::sync {

namespace {

std::chrono::milliseconds spread(std::chrono::seconds pause, double chance) {
    return std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::duration<double>(pause) *
                                                                 (0.9 + 0.2 * chance));
}

}  // namespace

void Schedule::request(base::Moment now) {
    requested_ = true;
    due_ = std::max(now, earliest_);
}

bool Schedule::in_vain(base::Moment now) const {
    return rejected_until_ && now < *rejected_until_ && !requested_;
}

void Schedule::put_off(base::Moment now) {
    due_ = now + poll_every_;
    if (rejected_until_) due_ = std::min(due_, *rejected_until_);
}

bool Schedule::begin() {
    follow_up_requested_ = false;
    return std::exchange(requested_, false);
}

void Schedule::succeeded(base::Moment now, double chance) {
    failures_ = 0;
    earliest_ = {};
    due_ = std::exchange(follow_up_requested_, false) ? now : now + pause(chance);
}

void Schedule::failed(base::Moment now, std::optional<std::chrono::seconds> retry_after, double chance) {
    ++failures_;
    due_ = now + pause(chance);
    if (!retry_after) return;
    earliest_ = now + std::min(*retry_after, limits::retry_after);
    due_ = std::max(due_, earliest_);
}

void Schedule::rejected(base::Moment now) {
    ++failures_;
    rejected_until_ = now + rejected_pause;
    put_off(now);
}

void Schedule::resume(base::Moment now, std::optional<base::Moment::duration> ago, double chance) {
    if (requested_) return;
    base::Moment due = now;
    if (ago) {
        const base::Moment::duration whole = spread(usual_pause(), chance);
        due += std::clamp(whole - *ago, base::Moment::duration(0), whole);
    }
    due_ = std::max({due, earliest_, failures_ > 0 ? due_ : due});
}

std::chrono::milliseconds Schedule::pause(double chance) const {
    constexpr std::chrono::seconds first(15);
    std::chrono::seconds base = usual_pause();
    if (failures_ > 0) base = std::min(base, first * (1 << std::min(failures_ - 1, 20u)));
    return spread(base, chance);
}

}  // namespace postern::sync
