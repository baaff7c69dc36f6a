// What the model of the spool goes by: a clock in which upkeep hurries, and what is known of each message.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <functional>
#include <mutex>
#include <set>
#include <stop_token>
#include <string>
#include <vector>

#include "relay/queue/record.h"
#include "sync/base/clock.h"

namespace postern::tests {

using relay::MessageId;
using relay::Progress;

/// So that what upkeep does in a second is done in a few milliseconds.
class RushingClock final : public base::Clock {
public:
    static constexpr int speed = 200;

    base::Moment now() const override { return begun_ + (system_.now() - begun_) * speed; }
    base::Time wall() const override { return system_.wall(); }
    base::Time steady() const override { return system_.steady(); }
    bool wait_until(std::condition_variable_any& woken, std::unique_lock<std::mutex>& lock,
                    const std::stop_token& stop, base::Moment until,
                    const std::function<bool()>& done) const override {
        const auto real = until == base::Moment::max() ? until : begun_ + (until - begun_) / speed;
        return system_.wait_until(woken, lock, stop, real, done);
    }

private:
    base::SystemClock system_;
    base::Moment begun_ = system_.now();
};

struct Version {
    std::uint64_t number = 0;  // of the change; 0: as it was found, or accepted
    Progress progress;
    bool done = false;
    MessageId bounce{};
};

struct Known {
    std::string content;
    bool accepted = false;          // told so, or must be there with the change that brought it
    bool refused = false;           // told so, and not there
    std::vector<Version> versions;  // the first one is there for certain
    std::set<std::uint16_t> noted, surely_noted;

    bool done() const { return versions.back().done; }
};

}  // namespace postern::tests
