// The mail on disk.
//
// A message is absent, accepted, progressed or done. Any prefix of commits is a legal history. An accepted
// message that is not done can be delivered twice, but is never lost:
//   accepted    the commit that holds its record and content returned; only then is 250 said.
//   progressed  its recipients' fate, and where it waits, are in a later commit nobody waits for. What was
//   delivered
//               is noted in the settled log before that, so a killed process does not deliver it again.
//   done        all its records are gone in one commit. A bounce it causes is committed before that.
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
#include <string>
#include <thread>
#include <vector>

#include "relay/mail/message.h"
#include "relay/queue/content.h"
#include "relay/queue/record.h"
#include "relay/queue/settled_log.h"
#include "relay/queue/stored.h"
#include "relay/queue/wait_key.h"

namespace postern::relay {

class Volume;

/// Whether there was no room, or no descriptor or memory, for what was to be stored: the same may work a
/// moment later.
bool short_of_room(const std::error_code& error);

/// What one commit did, told on the commit thread; `unstuck` alone also on another.
struct Committed {
    struct Accept {
        StoredPtr stored;
        std::function<void(std::error_code)> done;  // to be called on the thread that accepted; may be empty
    };
    std::vector<Accept> accepted;
    std::error_code error;           // of all in `accepted`
    std::vector<StoredPtr> bounces;  // that changes brought along; durable
    std::uint64_t changes = 0;       // every change up to this number is durable
    bool unstuck = false;            // what could not be written down is: see Spool::stuck()
    std::chrono::microseconds duration{0};
};

/// A message as read back. `progress` has one entry per recipient.
struct Loaded {
    StoredPtr stored;  // without content
    Progress progress;
};

class Spool {
public:
    struct Options {
        std::uint64_t volume_size = 512ull << 20;
        std::chrono::microseconds gather{
            3000};  // how long a commit waits for messages that are about to arrive
        std::chrono::milliseconds change_delay{50};  // how long changes wait for company
    };
    using Report = std::function<void(std::string_view what, bool grave)>;  // any thread

    /// Opens `dir`/spool, replays the settled log. Damaged volumes are set aside and reported. Throws
    /// std::runtime_error when the folder or a volume in it cannot be used for another reason: that is for
    /// somebody to put right, and no verdict about the mail. `committed` is called on the commit thread.
    Spool(const std::filesystem::path& dir, const base::Clock& clock, Options options,
          std::function<void(Committed)> committed, Report report);
    ~Spool();  // stop()

    void start();
    void stop();  // commits what is pending

    // Accepting; any thread.
    MessageId new_id();
    std::filesystem::path content_file(MessageId id) const { return contents_ / id.text(); }
    void accept(StoredPtr stored, std::function<void(std::error_code)> done);
    /// How many more messages are on their way in (+1 when one begins, -1 when it is accepted or given up). A
    /// commit waits a moment for them, so that they share its sync.
    void arriving(int difference);
    /// Why nothing can be accepted, "" when all is well. Cheap.
    std::string unhealthy() const;
    /// On the disk, for others than root; 0 where no more files can be made.
    tl::expected<std::uint64_t, std::error_code> room() const;
    std::uint64_t free_bytes() const { return room().value_or(0); }
    /// What keeps mail out or in though the disk does not fail, for whoever can help; "" when nothing does.
    std::string want(std::uint64_t minimum_free) const;
    std::uint64_t set_aside_so_far() const { return set_aside_; }  // records and volumes
    /// Progress cannot be written down at present: nothing should be delivered that would be delivered again.
    /// A failing disk is no such thing as long as what is delivered can be noted. Committed::unstuck follows
    /// when it is over.
    bool stuck() const { return stuck_ || settled_->behind(); }

    // Progress; one thread.
    std::uint64_t change(Change change);  // gives its number
    /// Notes deliveries, an instant later; the message's next change records them.
    void note_delivered(MessageId id, const std::vector<std::uint16_t>& recipients);
    /// Until what was noted is written, or cannot be: an instant, as long as the disk is well.
    void wait_for_notes() { settled_->wait(); }
    void changes_committed(std::uint64_t number) { settled_->committed(number); }

    // Reading; any thread. Committed state only.
    std::vector<std::uint32_t> volumes() const;
    std::vector<MessageId> fresh(std::uint32_t volume, MessageId after, std::size_t limit) const;
    std::vector<WaitEntry> due(const RouteKey& route, Time until, std::size_t limit,
                               const std::function<bool(MessageId)>& skip) const;
    std::vector<WaitKey> routes() const;
    /// Whether the message is filed there: due() would find it.
    bool waits(const WaitKey& key, MessageId id, std::uint32_t volume) const;
    std::vector<MessageId> messages(std::uint32_t volume, MessageId after, std::size_t limit) const;
    std::optional<std::uint32_t> find(MessageId id) const;
    /// nullopt when it is gone; Loaded with a null `stored` when it is damaged.
    std::optional<Loaded> load(MessageId id, std::uint32_t volume) const;
    /// The octets of a message, wherever they are kept.
    tl::expected<std::shared_ptr<const std::string>, ContentFault> load_content(const Message& message,
                                                                                std::uint32_t volume) const;
    std::uint64_t count() const;
    std::uint64_t waiting(
        const RouteKey& route) const;  // messages filed under it, at most 100,000 are counted
    std::uint64_t bytes() const;

private:
    using VolumePtr = std::shared_ptr<Volume>;
    static constexpr std::size_t batch_messages = 1024;  // accepted by one commit
    static constexpr std::size_t group_changes = 512;    // that are worth a commit of their own

    VolumePtr volume(std::uint32_t number) const;
    std::vector<VolumePtr> snapshot() const;
    void open_volumes();
    void add_volume(std::uint32_t number);
    void replay_settled();
    void remove_orphans();
    void run();
    void gather(std::unique_lock<std::mutex>& lock);
    base::Moment next_work() const;
    struct Numbered {
        std::uint64_t number;
        Change change;
    };
    using Changes = std::vector<Numbered>;
    using ChangeRefs = std::vector<const Change*>;

    void commit(std::vector<Committed::Accept> accepts, Changes changes);
    std::error_code commit_or_make_room(std::vector<StoredPtr>& messages, Changes& changes, bool& accepted);
    std::error_code commit_newest(const std::vector<StoredPtr>& messages, Changes& changes);
    void commit_older(bool stopping);
    void pause_deliveries(const std::error_code& error);
    bool over_again();
    void tell_of_notes(const std::error_code& error);
    void put_back(Changes changes);
    void keep_reserve();
    bool retire(Volume& volume, const std::error_code& error);
    bool damaged(const Volume& volume, const std::error_code& error);
    void shrink();
    std::error_code write(Volume& volume, const std::vector<StoredPtr>& messages, const ChangeRefs& changes);
    static ChangeRefs refs(const Changes& changes);
    std::error_code sync_contents(const std::vector<StoredPtr>& messages) const;
    void tidy(const ChangeRefs& changes);
    bool set_aside(Volume& volume, const Change& change);
    std::error_code set_aside(const std::filesystem::path& file, const std::string& why);
    std::error_code move_aside(const std::filesystem::path& file) const;
    bool fatal(const std::error_code& error);

    std::filesystem::path dir_, contents_, damaged_;
    const base::Clock& clock_;
    Options options_;
    std::function<void(Committed)> committed_;
    Report report_;
    std::optional<SettledLog> settled_;
    std::atomic<std::uint64_t> last_id_{0};
    std::atomic<bool> stuck_{false};
    std::atomic<std::uint64_t> set_aside_{0};

    mutable std::mutex volumes_mutex_;
    std::vector<VolumePtr> volumes_;  // by number

    mutable std::mutex mutex_;
    std::condition_variable_any wake_;
    std::vector<Committed::Accept> accepts_;
    Changes changes_;
    base::Moment changes_since_;
    bool put_back_ = false;  // changes_ begins with some that could not be written yet
    std::uint64_t last_change_ = 0;
    int arriving_ = 0, stalled_ = 0;
    bool gathering_ = false, stopping_ = false;
    std::string unhealthy_;

    // commit thread only
    Changes older_;  // changes in older volumes, committed in slower groups
    base::Moment older_since_;
    std::uint64_t taken_ = 0;
    unsigned shortages_ = 0;  // commits in a row that failed for want of memory
    bool short_ = false;      // the last one failed for want of something, which was told
    bool newest_stuck_ = false, older_stuck_ = false;  // changes could not be written for want of something

    std::thread thread_;
};

}  // namespace postern::relay
