// The mail on disk.
//
// A message is absent, accepted, progressed or done. What was synced is a legal history whatever is lost
// behind it. An accepted message that is not done can be delivered twice, but is never lost:
//   accepted    its record and content are synced; only then is 250 said.
//   progressed  its recipients' fate, and where it waits, are written at once, and synced with a later commit
//               nobody waits for: a killed process does not deliver again, only a machine that stops may.
//   done        it says so. A bounce it causes counts only together with that.
// A failed sync is final: the spool stops accepting, says so, and does not try again before a restart.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "relay/mail/message.h"
#include "relay/queue/content.h"
#include "relay/queue/damaged_folder.h"
#include "relay/queue/notes.h"
#include "relay/queue/record.h"
#include "relay/queue/spool_reader.h"
#include "relay/queue/stored.h"
#include "relay/queue/wait_key.h"
#include "sync/base/clock.h"
#include "sync/base/disk.h"

namespace postern::relay {

class Journal;
class Upkeep;
struct Draft;
struct Holdings;
struct Loss;
struct Place;
struct Recovered;

/// Whether there was no room, or no descriptor or memory, for what was to be stored: the same may work a
/// moment later.
bool short_of_room(const std::error_code& error);

/// What one commit did, told on the commit thread; `unstuck` alone also on another.
struct Committed {
    struct Accept {
        StoredPtr stored;
        std::function<void(std::error_code)> done;  // to be called on the thread that accepted; may be empty
        unsigned from = 0;                          // which that is, as it called itself
    };
    std::vector<Accept> accepted;
    std::error_code error;           // of all in `accepted`
    std::vector<StoredPtr> bounces;  // that changes brought along
    std::uint64_t changes = 0;       // every change up to this number is written
    std::uint64_t durable = 0;       // and synced up to this one
    bool unstuck = false;            // what could not be written down is: see Spool::stuck()
    std::chrono::microseconds duration{0};
};

/// One thing: what comes in, what becomes of it and what is set aside get to the disk in the same commits, in
/// one order.
class Spool {
public:
    struct Options {
        std::uint64_t segment_size = 64ull << 20;
        std::chrono::microseconds gather{
            3000};  // how long a commit waits for messages that are about to arrive
        std::chrono::milliseconds change_delay{50};  // how long changes wait for company
    };
    using Report = std::function<void(std::string_view what, bool grave)>;  // any thread

    /// Opens `dir`/spool. What is damaged is set aside and reported. Throws std::runtime_error when the
    /// folder or a file in it cannot be used for another reason: that is for somebody to put right, and no
    /// verdict about the mail. `committed` is called on the commit thread. `clock` and `disk` outlive it.
    Spool(const std::filesystem::path& dir, const base::Clock& clock, base::Disk& disk, Options options,
          std::function<void(Committed)> committed, Report report);
    ~Spool();  // stop()

    void start();
    void stop();  // commits what is pending

    // Accepting; any thread.
    MessageId new_id();
    base::Disk& disk() const { return disk_; }
    std::filesystem::path content_file(MessageId id) const { return contents_ / id.text(); }
    /// After stop(): `done` is told at once that it was not taken.
    void accept(StoredPtr stored, std::function<void(std::error_code)> done, unsigned from = 0);
    /// How many more messages are on their way in (+1 when one begins, -1 when it is accepted or given up). A
    /// commit waits a moment for them, so that they share its sync.
    void arriving(int difference);
    /// Why nothing can be accepted, "" when all is well. Cheap.
    std::string unhealthy() const;
    /// On the disk, for others than root; 0 where no more files can be made.
    tl::expected<std::uint64_t, std::error_code> room() const { return disk_.room(dir_); }
    std::uint64_t free_bytes() const { return room().value_or(0); }
    /// What keeps mail out or in though the disk does not fail, for whoever can help; "" when nothing does.
    std::string want(std::uint64_t minimum_free) const;
    std::uint64_t set_aside_so_far() const { return set_aside_; }  // messages, and stretches of octets
    /// Progress cannot be written down at present: nothing should be delivered that would be delivered again.
    /// A failing disk is no such thing as long as what is delivered can be noted. Committed::unstuck follows
    /// when it is over.
    bool stuck() const { return stuck_ || notes_->behind(); }

    // Progress; one thread.
    std::uint64_t change(Change change);  // gives its number
    /// Notes deliveries, an instant later; the message's next change records them.
    void note_delivered(MessageId id, std::vector<std::uint16_t> recipients) {
        notes_->add({id, std::move(recipients)});
    }
    /// Until what was noted is written, or cannot be: an instant, as long as the disk is well.
    void wait_for_notes() { notes_->wait(); }
    /// Changes that were given are synced soon: Committed::durable tells. Any thread.
    void sync_soon();

    // Reading; any thread. See SpoolReader.
    std::vector<MessageId> fresh(MessageId after, std::size_t limit) const {
        return reader_->fresh(after, limit);
    }
    std::vector<WaitEntry> due(const RouteKey& route, Time until, std::size_t limit,
                               const std::function<bool(MessageId)>& skip) const {
        return reader_->due(route, until, limit, skip);
    }
    std::vector<WaitKey> routes() const { return reader_->routes(); }
    bool waits(const WaitKey& key, MessageId id) const { return reader_->waits(key, id); }
    std::vector<MessageId> messages(MessageId after, std::size_t limit) const {
        return reader_->messages(after, limit);
    }
    bool contains(MessageId id) const { return reader_->contains(id); }
    std::optional<Loaded> load(MessageId id) const { return reader_->load(id); }
    tl::expected<std::shared_ptr<const std::string>, ContentFault> load_content(
        const Message& message) const {
        return reader_->load_content(message);
    }
    std::uint64_t count() const { return reader_->count(); }
    std::uint64_t waiting(const RouteKey& route) const { return reader_->waiting(route); }
    std::uint64_t bytes() const { return reader_->bytes(); }

private:
    static constexpr std::size_t batch_messages = 1024;  // accepted by one commit
    static constexpr std::size_t group_changes = 512;    // that are worth a commit of their own

    struct Numbered {
        std::uint64_t number;
        Change change;
    };
    using Changes = std::vector<Numbered>;
    struct Batch;

    // spool_opening.cc
    void open();
    Recovered recover_journal();
    std::set<std::uint32_t> settle_losses(const Recovered& recovered);
    void settle_loss(const Loss& loss);
    void begin_upkeep(const Recovered& recovered, bool anew, std::set<std::uint32_t> pinned);
    struct Earlier;
    Earlier take_earlier();
    void take_volume(const std::filesystem::path& volume, Earlier& earlier);
    void finish_earlier(const Earlier& earlier, bool settled);
    bool keep(const Loss& loss);
    void tell_missing(const Recovered& recovered);
    void settle_notes();
    bool remove_orphans(bool lost);

    // spool_commit.cc
    void run();
    void gather(std::unique_lock<std::mutex>& lock);
    base::Moment next_work() const;
    void between_commits(const std::function<void()>& work);
    bool make_durable();
    std::error_code note(const std::vector<Note>& notes);
    void commit(std::vector<Committed::Accept> accepts, Changes changes, bool sync_wanted);
    bool late() const;
    /// What became of what was to be written: the mail that came in, and all else.
    struct Wrote {
        std::error_code accepted, changes;
        std::size_t written = 0;  // of the changes, from the first on
    };
    Wrote write_or_make_room(const std::vector<StoredPtr>& accepted, const Changes& changes);
    Wrote write(const std::vector<StoredPtr>& accepted, const Changes& changes);
    Wrote append(const std::vector<StoredPtr>& accepted, std::span<const Numbered> changes);
    std::size_t before_untold(std::span<const Numbered> changes) const;
    bool draft(const Change& change, Batch& batch);
    std::error_code sync_contents(const std::vector<StoredPtr>& messages) const;
    std::error_code sync();
    void enter(const Batch& batch);
    void put_back(Changes changes);

    // spool_faults.cc
    void pause_deliveries(const std::error_code& error);
    bool over_again();
    void tell_of_notes(const std::error_code& error);
    bool set_aside(const Change& change, const Place& message, const Place& progress);
    bool fatal(const std::error_code& error, bool final = false);

    const std::filesystem::path dir_, contents_;
    const base::Clock& clock_;
    base::Disk& disk_;
    const Options options_;
    const std::function<void(Committed)> committed_;
    const Report report_;
    DamagedFolder damaged_;
    std::unique_ptr<Holdings> holdings_;
    std::unique_ptr<Journal> journal_;
    std::optional<SpoolReader> reader_;
    std::optional<Notes> notes_;
    std::unique_ptr<Upkeep> upkeep_;
    std::atomic<std::uint64_t> last_id_{0};
    std::atomic<bool> stuck_{false};
    std::atomic<std::uint64_t> set_aside_{0};

    mutable std::mutex mutex_;
    std::condition_variable_any wake_;
    std::vector<Committed::Accept> accepts_;
    Changes changes_;
    std::vector<std::function<void()>> tasks_;
    base::Moment changes_since_;
    bool put_back_ = false;  // changes_ begins with some that could not be written yet
    std::uint64_t last_change_ = 0;
    int arriving_ = 0, stalled_ = 0;
    bool gathering_ = false, stopping_ = false, sync_wanted_ = false, running_ = false;
    std::string unhealthy_;

    // commit thread only
    std::uint64_t taken_ = 0, synced_ = 0;  // changes written, and synced, up to this number
    base::Moment unsynced_since_;           // of what was written without a sync
    bool unsynced_ = false;
    // Bounces that are written: not synced, and nobody knows of them, or to be told with the commit.
    std::vector<std::pair<StoredPtr, Place>> untold_;
    std::vector<StoredPtr> bounces_;
    std::set<MessageId> telling_;                  // bounces that are not synced, and what brought them
    std::vector<std::filesystem::path> leftover_;  // content of what is done, once that is synced
    bool short_ = false;  // the last commit failed for want of something, which was told
    bool full_ = false;   // changes could not be written for want of something

    std::thread thread_;
};

}  // namespace postern::relay
