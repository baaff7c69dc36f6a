// How far the changes of the queue are on the disk, for those who wait for theirs.
#pragma once

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <mutex>

#include "sync/base/clock.h"

namespace postern::relay {

/// Any thread.
class DurableMark {
public:
    explicit DurableMark(const base::Clock& clock) : clock_(clock) {}

    /// Every change up to this number is on the disk.
    void reached(std::uint64_t change) {
        {
            const std::lock_guard guard(mutex_);
            durable_ = std::max(durable_, change);
        }
        changed_.notify_all();
    }

    /// Until a change is, at most for `patience`.
    void wait(std::uint64_t change, std::chrono::seconds patience) {
        std::unique_lock guard(mutex_);
        clock_.wait_until(changed_, guard, {}, clock_.now() + patience,
                          [&] { return durable_ >= change || ended_; });
    }

    /// Nobody waits any more.
    void end() {
        {
            const std::lock_guard guard(mutex_);
            ended_ = true;
        }
        changed_.notify_all();
    }

private:
    const base::Clock& clock_;
    std::mutex mutex_;
    std::condition_variable_any changed_;
    std::uint64_t durable_ = 0;
    bool ended_ = false;
};

}  // namespace postern::relay
