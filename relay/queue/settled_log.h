// What was delivered since the last commit, written down at once and without a sync: a killed process leaves
// it in the page cache, so that only a crash of the machine can make a delivered message go out twice.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <filesystem>
#include <functional>
#include <map>
#include <mutex>
#include <set>
#include <system_error>
#include <thread>
#include <unordered_map>
#include <vector>

#include "relay/mail/message.h"
#include "sync/base/clock.h"
#include "sync/base/descriptor.h"

namespace postern::relay {

/// Used from one thread, which never waits for the disk: a thread of its own writes, in the order of the
/// calls. What cannot be written for want of room or descriptors is kept and written first as soon as it can
/// be; for any other fault of the disk it is given up, which costs protection against duplicates only.
class SettledLog {
public:
    using Delivered = std::map<MessageId, std::set<std::uint16_t>>;
    /// On its thread: why nothing can be noted at present, and that it can be again (no error) or that what
    /// had waited long is written; with an error that is no shortage, that a note was given up.
    using Tell = std::function<void(const std::error_code& error)>;

    /// Recipients that earlier processes noted and perhaps did not commit. A torn end is ignored. Throws
    /// std::runtime_error naming a file that cannot be read: to go on without it is to deliver twice.
    static Delivered read(const std::filesystem::path& dir);
    static void clear(const std::filesystem::path& dir);

    SettledLog(std::filesystem::path dir, const base::Clock& clock, Tell tell);
    ~SettledLog();  // when what can be written is
    SettledLog(const SettledLog&) = delete;
    SettledLog& operator=(const SettledLog&) = delete;

    void note(MessageId id, const std::vector<std::uint16_t>& recipients);
    /// The change of this number says durably what was noted of the message so far.
    void recorded(MessageId id, std::uint64_t change);
    /// All changes up to this number are committed: what only they needed is dropped.
    void committed(std::uint64_t change);

    /// Something noted is not written for a second or more: what is delivered now would not be noted either.
    /// `tell` follows when that is over. Any thread.
    bool behind() const;
    void wait();  // until all is written, or cannot be

private:
    struct Entry {
        enum class What : std::uint8_t { note, recorded, committed };
        What what = What::note;
        MessageId id;
        std::uint64_t change = 0;
        std::vector<std::uint16_t> recipients;
    };

    void add(Entry entry);
    void run();
    void tell_outside(std::unique_lock<std::mutex>& lock, const std::error_code& error);
    std::error_code apply(const Entry& entry);
    std::error_code write(const Entry& entry);
    void record(const Entry& entry);
    void drop(std::uint64_t change);
    std::error_code open_next();

    struct File {
        std::filesystem::path path;
        std::size_t open = 0;           // messages noted in it that no change has recorded yet
        std::uint64_t last_change = 0;  // that recorded one
    };

    std::filesystem::path dir_;
    const base::Clock& clock_;
    Tell tell_;

    // Its thread's.
    std::deque<File> files_;                                            // the last is written to
    std::uint64_t dropped_ = 0;                                         // files before the first of them
    std::unordered_map<std::uint64_t, std::set<std::uint64_t>> noted_;  // by message, in which files
    std::size_t size_ = 0, next_at_ = 0;
    base::Descriptor file_;  // none: it could not be opened yet

    mutable std::mutex mutex_;
    std::condition_variable_any wake_;
    std::condition_variable done_;
    std::deque<Entry> entries_;  // to be written
    unsigned waiters_ = 0;       // in wait()
    bool due_ = false, busy_ = false, stopping_ = false;
    bool short_ = false;  // the first of them could not be, for want of something
    std::atomic<base::Moment::rep> waiting_since_{0};  // the first of them; 0: none waits
    std::thread thread_;
};

}  // namespace postern::relay
