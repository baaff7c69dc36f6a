// The way an explanation that name servers are asked for comes back to who waits for it.
#pragma once

#include <chrono>
#include <condition_variable>
#include <exception>
#include <mutex>
#include <optional>
#include <stop_token>
#include <utility>

#include "relay/relay.h"
#include "sync/base/clock.h"

namespace postern::agent {

/// Given once, waited for once, each on any thread; it may come after the waiting.
class ExplainAnswer {
public:
    void give(std::exception_ptr fault, relay::Explanation whole) {
        const std::lock_guard lock(mutex_);
        fault_ = std::move(fault);
        whole_ = std::move(whole);
        given_.notify_one();
    }

    /// nullopt when it is not there in time, or before the gate closes. Throws what went wrong.
    std::optional<relay::Explanation> wait(const base::Clock& clock, const std::stop_token& closing,
                                           std::chrono::seconds limit) {
        std::unique_lock lock(mutex_);
        clock.wait_until(given_, lock, closing, clock.now() + limit, [this] { return whole_.has_value(); });
        if (fault_) std::rethrow_exception(fault_);
        return std::move(whole_);
    }

private:
    std::mutex mutex_;
    std::condition_variable_any given_;
    std::exception_ptr fault_;
    std::optional<relay::Explanation> whole_;
};

}  // namespace postern::agent
