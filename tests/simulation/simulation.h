// One history: the whole gateway but for sockets, disk, clock and name servers, which are simulated, and the
// world around it.
#pragma once

#include <asio/executor_work_guard.hpp>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "relay/parts.h"
#include "tests/simulation/clock.h"
#include "tests/simulation/ledger.h"
#include "tests/simulation/outside.h"
#include "tests/simulation/plan.h"
#include "tests/simulation/random.h"
#include "tests/unit/relay/folder.h"
#include "tests/unit/relay/memory_disk.h"
#include "tests/unit/relay/mortal_disk.h"

namespace postern::simulation {

struct Outcome {
    std::string fault;  // "" when all that was promised was kept
    std::vector<std::string> story;
    std::uint64_t digest = 0;  // of all that happened
    std::size_t messages = 0, deliveries = 0, failures = 0;
    std::chrono::hours time{0};
};

/// The same plan has the same outcome.
Outcome play(const Plan& plan);

/// That it is killed in the middle of what it does.
struct Death {
    std::size_t before;  // which of what it asks the disk for
    std::function<void()> then;
};

/// The gateway, from one start to its end.
class Life {
public:
    Life(Clock& clock, Outside& outside, tests::MemoryDisk& disk, relay::SettingsPtr settings,
         std::shared_ptr<const sync::Snapshot> directory, relay::Observer& observer, std::uint64_t seed,
         const std::optional<Death>& death);
    ~Life();

    tests::MortalDisk& disk() { return disk_; }
    relay::RelayParts& parts() { return *parts_; }
    /// One thing that can be done, chosen by chance; false when all wait. A loop in which there was nothing
    /// to do is not asked again before awake(), or before something else of the gateway's was done.
    bool step(Random& random);
    void awake();
    /// Whether the last step may concern the world outside.
    bool spoke() const { return spoke_; }
    /// Begins to stop, unless it does already; stopped() follows.
    void stop(std::chrono::seconds grace);
    /// Without grace from now on.
    void hurry();
    const std::string& last() const { return last_; }  // who did the last step
    bool stopped() const { return ended_ == 2; }

private:
    Clock& clock_;
    tests::MortalDisk disk_;
    io_context workers_{1};
    const asio::executor_work_guard<io_context::executor_type> work_{workers_.get_executor()};
    std::unique_ptr<relay::RelayParts> parts_;
    struct Loop {
        std::string name;
        io_context* io;
        bool quiet = false;
    };
    std::vector<Loop> loops_;
    int ended_ = 0;
    bool stopping_ = false, spoke_ = false;
    std::string last_;
};

}  // namespace postern::simulation
