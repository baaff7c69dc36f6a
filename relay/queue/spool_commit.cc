// The spool's commit thread: what was accepted, and what became of it, made durable in groups.
#include <algorithm>
#include <deque>
#include <iterator>
#include <set>
#include <span>
#include <utility>

#include "relay/queue/journal.h"
#include "relay/queue/spool.h"
#include "relay/queue/upkeep.h"
#include "sync/base/thread_name.h"

namespace postern::relay {

namespace {

using Kind = RecordHeader::Kind;

constexpr std::chrono::seconds unsynced_at_most{1};  // until what nobody waits for is on the disk
constexpr std::chrono::seconds put_back_for{1};

}  // namespace

/// What is appended at once. The drafts refer to the texts.
struct Spool::Batch {
    struct Entry {
        const Change* change;
        std::size_t draft;
        bool fresh;
        std::vector<WaitKey> lines;
        Graves graves;
    };
    std::deque<std::string> texts;
    std::vector<Draft> drafts;
    std::vector<Entry> changes;
    std::vector<std::pair<MessageId, std::size_t>> messages;  // and their drafts
    std::vector<std::pair<StoredPtr, std::size_t>> bounces;   // those of them, behind the accepted ones
    std::vector<Place> places;                                // of the drafts

    Draft& add(Kind kind, MessageId id, std::string text) {
        texts.push_back(std::move(text));
        return drafts.emplace_back(kind, id, texts.back());
    }
    void add(const Message& message) {
        messages.emplace_back(message.id, drafts.size());
        texts.push_back(counted(encode_message(message)));
        const Content& content = message.content;
        if (content.bytes)
            drafts.emplace_back(Kind::message, message.id, texts.back(), *content.bytes, content.checksum);
        else
            drafts.emplace_back(Kind::message, message.id, texts.back());
    }
    /// With what it is accepted together with: neither counts without the other.
    void accept(const Stored& stored) {
        add(stored.message);
        if (!stored.companion) return;
        drafts.back().header.followed = true;
        add(stored.companion->message);
        drafts.back().header.follows = true;
    }
};

// ---- the thread

void Spool::start() {
    {
        std::lock_guard lock(mutex_);
        running_ = true;
    }
    thread_ = std::thread([this] { run(); });
    upkeep_->start();
}

void Spool::stop() {
    upkeep_->stop();
    {
        std::lock_guard lock(mutex_);
        stopping_ = true;
        wake_.notify_one();
    }
    if (!thread_.joinable()) return;
    thread_.join();
    wait_for_notes();
    if (unhealthy().empty()) upkeep_->last_checkpoint();
}

base::Moment Spool::next_work() const {
    if (!accepts_.empty() || !tasks_.empty() || sync_wanted_) return base::Moment::min();
    auto next = unsynced_ ? unsynced_since_ + unsynced_at_most : base::Moment::max();
    if (changes_.empty()) return next;
    if (changes_.size() >= group_changes && !put_back_) return base::Moment::min();
    return std::min(
        next, changes_since_ + (put_back_ ? std::chrono::milliseconds(put_back_for) : options_.change_delay));
}

void Spool::gather(std::unique_lock<std::mutex>& lock) {
    // A commit costs a sync whatever it holds. Who is in the middle of sending a message will be here within
    // moments and shares it; who was counted last time and did not come is not waited for again.
    gathering_ = true;
    auto until = clock_.now() + options_.gather;
    const auto complete = [this] {
        return arriving_ <= stalled_ || accepts_.size() >= batch_messages || stopping_;
    };
    if (!clock_.wait_until(wake_, lock, {}, until, complete)) stalled_ = arriving_;
    gathering_ = false;
}

void Spool::run() {
    base::name_thread("spool-commit");
    std::unique_lock lock(mutex_);
    for (;;) {
        auto next = next_work();
        if (stopping_) {
            if (accepts_.empty() && tasks_.empty() && (changes_.empty() || put_back_)) break;
        } else if (next > clock_.now()) {
            clock_.wait_until(wake_, lock, {}, next, [&] { return stopping_ || next_work() != next; });
            continue;
        }
        if (!accepts_.empty()) gather(lock);

        std::vector<Committed::Accept> accepts;
        std::uint64_t size = 0;
        for (auto& one : accepts_) {
            const Message& message = one.stored->message;
            const unsigned times = one.stored->companion ? 2 : 1;
            size += message.content.bytes ? times * message.size() : 0;
            if (accepts.size() == batch_messages || (size > options_.segment_size / 8 && !accepts.empty()))
                break;
            accepts.push_back(std::move(one));
        }
        accepts_.erase(accepts_.begin(), accepts_.begin() + static_cast<std::ptrdiff_t>(accepts.size()));
        // What could not be written goes along with new mail, but waits for its time when it is alone.
        Changes changes;
        if (!put_back_ || !accepts.empty() || stopping_ || changes_since_ + put_back_for <= clock_.now()) {
            changes = std::exchange(changes_, {});
            put_back_ = false;
        }
        auto tasks = std::exchange(tasks_, {});
        const bool wanted = std::exchange(sync_wanted_, false);
        lock.unlock();
        for (const auto& task : tasks) task();
        if (!accepts.empty() || !changes.empty() || wanted || late())
            commit(std::move(accepts), std::move(changes), wanted);
        lock.lock();
    }
    running_ = false;
    auto tasks = std::exchange(tasks_, {});
    lock.unlock();
    for (const auto& task : tasks) task();
    if (unhealthy().empty()) sync();
}

/// Here when the thread does not run, there between two commits when it does.
void Spool::between_commits(const std::function<void()>& work) {
    std::unique_lock lock(mutex_);
    if (!running_) {
        lock.unlock();
        return work();
    }
    bool done = false;
    std::condition_variable_any over;
    tasks_.push_back([&] {
        work();
        std::lock_guard guard(mutex_);
        done = true;
        over.notify_one();
    });
    wake_.notify_one();
    clock_.wait_until(over, lock, {}, base::Moment::max(), [&] { return done; });
}

bool Spool::make_durable() {
    bool out = false;
    between_commits([&] { out = unhealthy().empty() && !sync(); });
    return out;
}

// ---- commits

void Spool::commit(std::vector<Committed::Accept> accepts, Changes changes, bool sync_wanted) {
    auto begun = clock_.now();
    const bool any_changes = !changes.empty();
    std::vector<StoredPtr> messages;
    for (const auto& one : accepts) messages.push_back(one.stored);
    for (const auto& one : changes)
        if (one.change.bounce && one.change.bounce->complete)
            std::exchange(one.change.bounce->complete, {})(*one.change.bounce);
    for (const auto& one : messages)
        if (one->complete) std::exchange(one->complete, {})(*one);

    Committed out;
    out.accepted = std::move(accepts);
    Wrote wrote;
    if (!messages.empty() || !changes.empty()) wrote = write_or_make_room(messages, changes);
    out.error = wrote.accepted;
    for (const auto& one : messages) one->written.reset();
    const auto rest =
        changes.begin() + static_cast<std::ptrdiff_t>(wrote.changes ? wrote.written : changes.size());
    if (rest != changes.begin()) taken_ = std::prev(rest)->number;
    changes.erase(changes.begin(), rest);
    if (!changes.empty()) put_back(std::move(changes));
    if (unsynced_ && (sync_wanted || late())) sync();
    if (!unsynced_ && unhealthy().empty()) synced_ = taken_;  // there was nothing to write for some of them
    if (!journal_->has_spare()) upkeep_->wake();
    // A commit that had nothing of it to write, or could not, says nothing.
    out.unstuck = any_changes && !wrote.changes && over_again();
    out.bounces = std::exchange(bounces_, {});
    out.changes = taken_;
    out.durable = synced_;
    out.duration = std::chrono::duration_cast<std::chrono::microseconds>(clock_.now() - begun);
    committed_(std::move(out));
}

/// What nobody waits for has waited long enough.
bool Spool::late() const { return unsynced_ && unsynced_since_ + unsynced_at_most <= clock_.now(); }

void Spool::put_back(Changes changes) {
    std::lock_guard lock(mutex_);
    changes.insert(changes.end(), std::make_move_iterator(changes_.begin()),
                   std::make_move_iterator(changes_.end()));
    changes_ = std::move(changes);
    changes_since_ = clock_.now();
    put_back_ = true;
}

/// What is on its way out must be written down even where there is no room for more to come in.
Spool::Wrote Spool::write_or_make_room(const std::vector<StoredPtr>& accepted, const Changes& changes) {
    Wrote out;
    if (!unhealthy().empty())
        out.accepted = std::make_error_code(std::errc::io_error);
    else if (!accepted.empty() && !journal_->has_spare())
        out.accepted = journal_->prepare_spare();
    const auto none = std::vector<StoredPtr>();
    if (!out.accepted || !changes.empty()) {
        const auto refused = out.accepted;
        out = write(refused ? none : accepted, changes);
        if (refused) out.accepted = refused;
        if (out.accepted && out.changes && out.written == 0 && !refused && !accepted.empty()) {
            const auto error = out.accepted;
            out = write(none, changes);
            out.accepted = error;
        }
    }
    full_ = out.changes && short_of_room(out.changes);
    if (full_)
        pause_deliveries(out.changes);
    else if (!out.accepted && !out.changes && std::exchange(short_, false))
        report_("the spool can be written again", false);
    return out;
}

/// False when nothing is to be written for it: its message is gone, or stays as it is.
bool Spool::draft(const Change& change, Batch& batch) {
    std::optional<Index::Entry> entry;
    Graves graves;  // where its records may lie
    {
        std::shared_lock lock(holdings_->mutex);
        entry = holdings_->index.find(change.id);
        if (entry)
            graves = {entry->message.segment, std::max(entry->message.segment, holdings_->copied_in_vain)};
        if (const auto& emptied = holdings_->emptied; !emptied.empty())
            graves.first = std::min(graves.first, *emptied.begin());
    }
    const bool ends = change.done || !change.damage.empty();
    const bool written = entry && (ends || change.progress) &&
                         (change.damage.empty() || set_aside(change, entry->message, entry->progress));
    if (change.bounce) {
        batch.bounces.emplace_back(change.bounce, batch.drafts.size());
        batch.add(change.bounce->message);
        batch.drafts.back().header.followed = written;
    }
    if (!written) return false;
    Batch::Entry added{&change, batch.drafts.size(), entry->fresh && !change.tried, {}, {}};
    if (ends) {
        added.graves = graves;
        batch.add(Kind::done, change.id, encode_graves(added.graves));
    } else {
        added.lines = places_in_line(*change.progress);
        batch.add(Kind::progress, change.id, encode_progress(*change.progress)).header.fresh = added.fresh;
    }
    batch.drafts.back().header.follows = change.bounce != nullptr;
    batch.changes.push_back(std::move(added));
    return true;
}

/// How many of them are in front of one whose message had a change before that brings a bounce, or is that
/// bounce, and which is not synced: were it the one that is left after a crash, nobody would be told, or
/// somebody twice.
std::size_t Spool::before_untold(std::span<const Numbered> changes) const {
    std::set<MessageId> telling = telling_;
    for (std::size_t at = 0; at < changes.size(); ++at) {
        if (telling.contains(changes[at].change.id)) return at;
        if (const auto& bounce = changes[at].change.bounce)
            telling.insert({changes[at].change.id, bounce->message.id});
    }
    return changes.size();
}

Spool::Wrote Spool::write(const std::vector<StoredPtr>& accepted, const Changes& changes) {
    std::span<const Numbered> rest(changes);
    std::size_t next = before_untold(rest);
    Wrote out = append(accepted, rest.first(next));
    while (!out.changes) {
        out.written += next;
        rest = rest.subspan(next);
        if (rest.empty()) break;
        if (!telling_.empty()) out.changes = sync();
        if (out.changes) break;
        next = before_untold(rest);
        out.changes = append({}, rest.first(next)).changes;
    }
    return out;
}

Spool::Wrote Spool::append(const std::vector<StoredPtr>& accepted, std::span<const Numbered> changes) {
    if (auto error = sync_contents(accepted)) {
        fatal(error);
        return {error, error};
    }
    Batch batch;
    for (const auto& stored : accepted) batch.accept(*stored);
    const std::size_t taken = batch.messages.size();
    for (const auto& one : changes) draft(one.change, batch);
    auto places = journal_->append(batch.drafts);
    if (!places) {
        fatal(places.error());
        return {places.error(), places.error()};
    }
    batch.places = std::move(*places);
    if (!journal_->has_spare()) upkeep_->wake();
    if (!batch.changes.empty() && unhealthy().empty() && !std::exchange(unsynced_, true))
        unsynced_since_ = clock_.now();
    if (!changes.empty()) taken_ = std::max(taken_, changes.back().number);
    for (const auto& one : changes)
        if (one.change.bounce) telling_.insert({one.change.id, one.change.bounce->message.id});
    enter(batch);
    for (const auto& [bounce, draft] : batch.bounces) untold_.emplace_back(bounce, batch.places[draft]);
    std::error_code error;
    if (!batch.messages.empty() && unhealthy().empty()) error = sync();
    if (error && !accepted.empty()) {
        // Who sent them is told that they were not taken.
        std::vector<Place> void_ones;
        for (std::size_t at = 0; at < taken; ++at)
            void_ones.push_back(batch.places[batch.messages[at].second]);
        journal_->take_back(void_ones);
    }
    std::unique_lock lock(holdings_->mutex);
    for (std::size_t at = 0; at < taken && !error; ++at)
        holdings_->index.insert(batch.messages[at].first, batch.places[batch.messages[at].second]);
    for (const auto& [id, draft] : batch.messages) holdings_->last_id = std::max(holdings_->last_id, id);
    return {error, {}};
}

/// What changes say of messages that are there.
void Spool::enter(const Batch& batch) {
    std::unique_lock lock(holdings_->mutex);
    holdings_->coming += batch.bounces.size();
    for (const auto& one : batch.changes) {
        const Place& place = batch.places[one.draft];
        if (one.graves.last == 0) {
            holdings_->index.progress(one.change->id, place, one.fresh, one.lines);
            holdings_->index.forget_notes(one.change->id, *one.change->progress);
            continue;
        }
        holdings_->index.erase(one.change->id);
        holdings_->graves.add(place.segment, one.graves);
        if (!one.change->file.empty() && one.change->done) leftover_.push_back(one.change->file);
    }
}

std::error_code Spool::sync_contents(const std::vector<StoredPtr>& messages) const {
    bool any = false;
    for (const auto& stored : messages) {
        if (stored->message.content.file.empty()) continue;
        any = true;
        if (!stored->written) continue;  // it was there before
        if (auto error = stored->written->sync()) return error;
    }
    return any ? disk_.sync_folder(contents_) : std::error_code();
}

std::error_code Spool::sync() {
    const std::uint64_t upto = taken_;
    if (auto error = journal_->sync()) {
        unsynced_ = !fatal(error, journal_->sync_failed());
        unsynced_since_ = clock_.now();
        return error;
    }
    unsynced_ = false;
    synced_ = upto;
    telling_.clear();
    {
        std::unique_lock lock(holdings_->mutex);
        for (const auto& [bounce, place] : untold_) holdings_->index.insert(bounce->message.id, place);
        holdings_->coming -= untold_.size();
    }
    for (auto& [bounce, place] : std::exchange(untold_, {})) bounces_.push_back(std::move(bounce));
    // Not before: the message would be found without its content.
    for (const auto& file : std::exchange(leftover_, {})) disk_.remove(file);
    return {};
}

// ---- notes

std::error_code Spool::note(const std::vector<Note>& notes) {
    const std::lock_guard noting(holdings_->noting);
    std::deque<std::string> texts;
    std::vector<Draft> drafts;
    for (const auto& one : notes) {
        texts.push_back(encode_delivered(one.recipients));
        drafts.emplace_back(Kind::delivered, one.id, texts.back());
    }
    if (const auto places = journal_->append(drafts); !places) return places.error();
    std::unique_lock lock(holdings_->mutex);
    for (const auto& one : notes) holdings_->index.note_delivered(one.id, one.recipients);
    return {};
}

}  // namespace postern::relay
