// Who asks the parts of the gateway while they run, and who waits until nobody does any more.
#pragma once

#include <atomic>
#include <mutex>
#include <shared_mutex>
#include <stop_token>

#include "agent/http/answer.h"

namespace postern::agent {

/// Closed at first, opened once, closed once. Any thread.
class Gate {
public:
    void open() { open_ = true; }

    /// Returns when the last of those inside has left; who comes now is sent away.
    void close() {
        closing_.request_stop();  // first the word, then the wait
        const std::unique_lock all_out(mutex_);
    }

    /// For who waits outside for something that comes from inside.
    std::stop_token closing() const { return closing_.get_token(); }

    /// What `ask` gives. Throws Stopping unless the gate is open.
    template <class Ask>
    auto while_running(Ask ask) {
        const std::shared_lock inside(mutex_);
        if (!open_ || closing_.stop_requested()) throw Stopping();
        return ask();
    }

private:
    std::shared_mutex mutex_;
    std::atomic<bool> open_{false};
    std::stop_source closing_;
};

}  // namespace postern::agent
