// What other gateways told, handed on one fact after the other, beside the cluster's thread: what comes of it
// may wait for a disk, and whose turn it is must not.
#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <string>
#include <thread>

#include "sync/base/cluster.h"
#include "sync/base/kept_file.h"
#include "sync/cluster/remembered.h"
#include "sync/cluster/scripts.h"

namespace postern::sync {

/// Any thread, but for start() and stop(), which are for one.
class Hearing {
public:
    using Hear = std::function<void(const std::string& gateway, const base::Fact&)>;
    static constexpr std::size_t most = 500;  // entries that wait

    /// How far it came is kept in `kept`, with the rest of what is remembered, some time later.
    Hearing(Hear hear, base::StateFolder kept) : hear_(std::move(hear)), kept_(std::move(kept)) {}
    ~Hearing() { stop(); }
    Hearing(const Hearing&) = delete;
    Hearing& operator=(const Hearing&) = delete;

    void start(Remembered remembered);
    /// What waits is heard at the next start.
    void stop();

    /// Whether more may be put.
    bool room() const;
    /// Entries with nothing for us are put without facts, so that it is known how far that is.
    void put(Heard heard);
    /// What there was to hear from `position` on is gone, or was never meant for us.
    void know(const std::string& generation, unsigned gateways, const std::string& position);
    std::uint64_t heard() const;  // facts so far

private:
    void run();

    const Hear hear_;
    const base::StateFolder kept_;
    mutable std::mutex mutex_;
    std::condition_variable woken_;
    std::deque<Heard> waiting_;
    Remembered remembered_, saved_;
    std::uint64_t heard_ = 0;
    bool ending_ = false;
    std::thread thread_;
};

}  // namespace postern::sync
