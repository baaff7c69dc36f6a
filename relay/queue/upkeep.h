// Keeps the journal small and its start quick, beside the mail and never in its way: a segment ready for when
// one is full, checkpoints, segments emptied and given back.
#pragma once

#include <chrono>
#include <condition_variable>
#include <functional>
#include <map>
#include <mutex>
#include <set>
#include <string_view>
#include <thread>
#include <vector>

#include "relay/queue/checkpoint.h"
#include "relay/queue/journal.h"
#include "sync/base/clock.h"

namespace postern::relay {

/// A thread of its own. What must not come between an append and its entry in the holdings it has done on the
/// commit thread. One thing: what may be emptied, dropped or left out of the checkpoint follows from the same
/// holdings.
class Upkeep {
public:
    struct Host {
        /// Runs it between two commits, and comes back when it has run.
        std::function<void(const std::function<void()>& work)> between_commits;
        /// Makes durable what was appended before. False when that cannot be done.
        std::function<bool()> make_durable;
        std::function<void(std::string_view what, bool grave)> report;
    };

    /// `start`, `size`: of the checkpoint that is there, 0 where it should be made anew; `pinned`: segments
    /// that must stay, and be gone through at the next start.
    Upkeep(base::Disk& disk, const base::Clock& clock, Journal& journal, Holdings& holdings, Host host,
           const CheckpointStart& start, std::uint64_t size, std::set<std::uint32_t> pinned);
    ~Upkeep();

    void start();
    void stop();
    void wake();  // any thread
    /// When nothing is appended any more, so that the next start has nothing to go through.
    void last_checkpoint();

private:
    struct Moving {
        RecordHeader header;
        Place from;
        std::string body;
    };

    void run();
    void step();
    void keep_spare();
    bool checkpoint_due() const;
    void write_checkpoint();
    void without_checkpoint(const std::error_code& error);
    bool dead(std::uint32_t segment, const std::map<std::uint32_t, Segment>& there) const;
    bool removable(std::uint32_t segment) const;
    void remove_dead();
    std::error_code repeat_notes();
    std::uint32_t emptiest() const;
    void empty(const Segment& segment);
    bool needed(const RecordHeader& header, const Place& place, std::string_view body,
                const std::map<std::uint32_t, Segment>& there) const;
    std::error_code move(std::vector<Moving>& records);
    bool pause(std::chrono::milliseconds time);

    base::Disk& disk_;
    const base::Clock& clock_;
    Journal& journal_;
    Holdings& holdings_;
    const Host host_;
    CheckpointStart checkpoint_;
    std::uint64_t checkpoint_size_;
    std::set<std::uint32_t> pinned_;
    std::map<std::uint32_t, base::Moment> stubborn_;          // could not be emptied: not again before
    bool without_room_ = false, without_checkpoint_ = false;  // that was told

    std::mutex mutex_;
    std::condition_variable_any wake_;
    bool woken_ = false, stopping_ = false;
    std::thread thread_;
};

}  // namespace postern::relay
