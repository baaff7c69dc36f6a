// How much a site takes at once and in a minute, and what follows when it asks for less: pure values, the
// clock is the caller's.
#pragma once

#include <algorithm>
#include <chrono>

#include "relay/delivery/window.h"

namespace postern::relay {

struct Flow {
    Window window{1};
    Pace pace;

    /// It wants less of us: half the connections, and a pause only when nothing at all was taken since the
    /// last time. What comes of transactions that were under way together counts once.
    void slow_down(Time now) {
        if (now - slowed_at_ < slow_first) return;
        slowed_at_ = now;
        window.halve();
        if (slowed_ > 0) pace.pause(now + std::min(slow_max, slow_first * (1u << std::min(slowed_, 9u))));
        ++slowed_;
    }
    void took() { slowed_ = 0; }
    /// It asks for less as a whole at present: not only the next message has to wait its turn.
    bool slow(Time now) const { return pace.wait(now) > slow_first; }

private:
    static constexpr std::chrono::seconds slow_first{1}, slow_max{300};
    unsigned slowed_ = 0;  // times in a row that it asked for less and took nothing
    Time slowed_at_{};
};

}  // namespace postern::relay
