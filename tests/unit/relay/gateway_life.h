// One life of a spool and its queue, as a process has it: from opening the folder to a clean stop or a crash.
#pragma once

#include <condition_variable>
#include <deque>
#include <filesystem>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "relay/queue/queue.h"
#include "tests/unit/relay/deliverer_double.h"
#include "tests/unit/relay/held_disk.h"

namespace postern::tests {

/// The commit thread's completions wait here until the test's thread takes them.
class GatewayLife {
public:
    GatewayLife(const std::filesystem::path& folder, const base::Clock& clock, relay::Spool::Options options,
                relay::SettingsPtr settings, relay::Observer& observer, Answers answers)
        : deliverer_(std::move(answers)),
          spool(
              folder, clock, disk_, options, [this](relay::Committed done) { tell(std::move(done)); },
              [this](std::string_view what, bool) {
                  std::lock_guard lock(mutex_);
                  reports_.emplace_back(what);
              }),
          queue(clock, spool, std::move(settings), observer, deliverer_) {
        spool.start();
    }
    ~GatewayLife() {
        let_go();
        spool.stop();
    }
    GatewayLife(const GatewayLife&) = delete;
    GatewayLife& operator=(const GatewayLife&) = delete;

    /// Hands over what was committed, as the gateway does it: the 250, then the queue. False when there was
    /// nothing.
    bool take_completions() {
        std::deque<relay::Committed> told;
        {
            std::lock_guard lock(mutex_);
            told = std::exchange(told_, {});
        }
        for (auto& one : told) {
            for (auto& accepted : one.accepted) {
                if (accepted.done) accepted.done(one.error);
                if (!one.error) queue.admit(std::move(accepted.stored));
            }
            for (auto& bounce : one.bounces) queue.admit(std::move(bounce));
            queue.committed(one.changes);
        }
        return !told.empty();
    }
    void wait_for_completion() {
        std::unique_lock lock(mutex_);
        changed_.wait(lock, [this] { return !told_.empty(); });
    }

    /// Stops the commit thread behind its next commit, so that the files hold still until let_go().
    void hold() {
        std::lock_guard lock(mutex_);
        hold_ = true;
    }
    void wait_until_held() {
        {
            std::unique_lock lock(mutex_);
            changed_.wait(lock, [this] { return held_; });
        }
        spool.wait_for_notes();
        disk_.hold();
    }
    void let_go() {
        disk_.let_go();
        std::lock_guard lock(mutex_);
        hold_ = false;
        changed_.notify_all();
    }

    /// In a copy of the folder, made while all holds still: the machine went down.
    void forget_some(const std::filesystem::path& folder, const std::filesystem::path& copy,
                     std::mt19937& random) {
        disk_.forget_some(folder, copy, random);
    }

    void make_unreadable(bool now) { disk_.make_unreadable(now); }

    std::vector<std::string> reports() const {
        std::lock_guard lock(mutex_);
        return reports_;
    }

private:
    void tell(relay::Committed done) {
        std::unique_lock lock(mutex_);
        told_.push_back(std::move(done));
        held_ = hold_;
        changed_.notify_all();
        changed_.wait(lock, [this] { return !hold_; });
        held_ = false;
    }

    mutable std::mutex mutex_;
    std::condition_variable changed_;
    std::deque<relay::Committed> told_;
    std::vector<std::string> reports_;
    bool hold_ = false, held_ = false;
    HeldDisk disk_;
    DelivererDouble deliverer_;

public:
    relay::Spool spool;
    relay::Queue queue;
};

}  // namespace postern::tests
