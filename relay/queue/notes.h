// What was delivered, written down at once and without a sync: a killed process leaves it in the page cache,
// so that only a crash of the machine can make a delivered message go out twice.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <mutex>
#include <system_error>
#include <thread>
#include <vector>

#include "relay/mail/message.h"
#include "sync/base/clock.h"

namespace postern::relay {

struct Note {
    MessageId id;
    std::vector<std::uint16_t> recipients;
};

/// Used from one thread, which never waits for the disk: a thread of its own writes, in the order of the
/// calls. What cannot be written for want of room or descriptors is kept and written first as soon as it can
/// be; for any other fault of the disk it is given up, which costs protection against duplicates only.
/// One thing: a line, its thread, and those who wait for it, under one lock.
class Notes {
public:
    /// On its thread: writes them all, or none.
    using Write = std::function<std::error_code(const std::vector<Note>& notes)>;
    /// On its thread: why nothing can be noted at present, and that it can be again (no error) or that what
    /// had waited long is written; with an error that is no shortage, that notes were given up.
    using Tell = std::function<void(const std::error_code& error)>;

    Notes(const base::Clock& clock, Write write, Tell tell);
    ~Notes();  // when what can be written is
    Notes(const Notes&) = delete;
    Notes& operator=(const Notes&) = delete;

    void add(Note note);
    /// Something noted is not written for a second or more: what is delivered now would not be noted either.
    /// `tell` follows when that is over. Any thread.
    bool behind() const;
    void wait();  // until all is written, or cannot be

private:
    void run();

    const base::Clock& clock_;
    const Write write_;
    const Tell tell_;

    mutable std::mutex mutex_;
    std::condition_variable_any wake_, done_;
    std::vector<Note> notes_;
    bool busy_ = false, short_ = false, stopping_ = false;
    unsigned waiters_ = 0;
    std::atomic<base::Moment::rep> waiting_since_{0};  // of the oldest that is not written; 0: none
    std::thread thread_;
};

}  // namespace postern::relay
