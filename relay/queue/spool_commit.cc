// The spool's commit thread: what was accepted, and what became of it, made durable in groups.
#include <fcntl.h>

#include <algorithm>
#include <iterator>
#include <utility>

#include "relay/queue/inspection.h"
#include "relay/queue/spool.h"
#include "relay/queue/volume.h"
#include "sync/base/file.h"
#include "sync/base/file_fault.h"

namespace postern::relay {

namespace {

constexpr const char* reserve_name = "reserve";
constexpr std::uint64_t reserve_bytes = 8ull << 20;
constexpr std::uint64_t full_below = 64ull << 10;
constexpr std::uint64_t shrink_min = 2ull << 20;  // a volume smaller than this is not worth replacing

bool is_full(const std::error_code& error) {
    return base::is_full(error) || error == lmdb_error(MDB_MAP_FULL);
}

/// The machine is short of something for a while; nothing was written, and it can be tried again.
bool is_shortage(const std::error_code& error) {
    return base::is_passing(error) || error == lmdb_error(MDB_READERS_FULL);
}

/// Something was moved away or taken from us. No write and no sync says this: nothing is known to be lost,
/// and all is well when it is back.
bool is_out_of_reach(const std::error_code& error) {
    return error == std::errc::no_such_file_or_directory || error == std::errc::not_a_directory ||
           error == std::errc::permission_denied;
}

/// By the engine's own word the volume is unsound, while the disk may be well.
bool is_unsound(const std::error_code& error) {
    if (error.category() != lmdb_category()) return false;
    switch (error.value()) {
        case MDB_PAGE_NOTFOUND:
        case MDB_CORRUPTED:
        case MDB_VERSION_MISMATCH:
        case MDB_INVALID:
        case MDB_CURSOR_FULL:
        case MDB_PAGE_FULL:
        case MDB_INCOMPATIBLE:
        case MDB_BAD_TXN:
        case MDB_BAD_DBI: return true;
        default: return false;
    }
}

}  // namespace

bool short_of_room(const std::error_code& error) { return is_full(error) || is_shortage(error); }

void Spool::start() {
    thread_ = std::thread([this] { run(); });
}

void Spool::stop() {
    {
        std::lock_guard lock(mutex_);
        stopping_ = true;
        wake_.notify_one();
    }
    if (!thread_.joinable()) return;
    thread_.join();
    wait_for_notes();
}

base::Moment Spool::next_work() const {
    if (!accepts_.empty()) return base::Moment::min();
    auto next = base::Moment::max();
    if (!changes_.empty()) {
        if (changes_.size() >= group_changes && !put_back_) return base::Moment::min();
        next = changes_since_ + (put_back_ ? std::chrono::milliseconds(1000) : options_.change_delay);
    }
    if (!older_.empty()) next = std::min(next, older_since_ + 5 * options_.change_delay);
    return next;
}

void Spool::gather(std::unique_lock<std::mutex>& lock) {
    // A commit costs two syncs whatever it holds. Who is in the middle of sending a message will be here
    // within moments and shares them; who was counted last time and did not come is not waited for again.
    gathering_ = true;
    auto until = clock_.now() + options_.gather;
    const auto complete = [this] {
        return arriving_ <= stalled_ || accepts_.size() >= batch_messages || stopping_;
    };
    if (!clock_.wait_until(wake_, lock, {}, until, complete)) stalled_ = arriving_;
    gathering_ = false;
}

void Spool::run() {
    std::unique_lock lock(mutex_);
    for (;;) {
        auto next = next_work();
        if (stopping_) {
            if (accepts_.empty() && (changes_.empty() || put_back_)) break;
        } else if (next > clock_.now()) {
            clock_.wait_until(wake_, lock, {}, next, [&] { return stopping_ || next_work() != next; });
            continue;
        }
        if (!accepts_.empty()) gather(lock);

        std::vector<Committed::Accept> accepts;
        std::uint64_t size = 0;
        for (auto& one : accepts_) {
            size += one.stored->message.content.bytes ? one.stored->message.size() : 0;
            if (accepts.size() == batch_messages || (size > options_.volume_size / 8 && !accepts.empty()))
                break;
            accepts.push_back(std::move(one));
        }
        accepts_.erase(accepts_.begin(), accepts_.begin() + static_cast<std::ptrdiff_t>(accepts.size()));
        Changes changes = std::exchange(changes_, {});
        put_back_ = false;
        lock.unlock();
        commit(std::move(accepts), std::move(changes));
        lock.lock();
    }
    lock.unlock();
    commit_older(true);
}

// `taken_` and the numbers of what is still open give the watermark: every change below it is durable.
void Spool::commit(std::vector<Committed::Accept> accepts, Changes changes) {
    auto begun = clock_.now();
    if (!changes.empty()) taken_ = std::max(taken_, changes.back().number);
    std::vector<StoredPtr> messages;
    for (const auto& one : accepts) messages.push_back(one.stored);
    for (const auto& one : changes)
        if (one.change.bounce) messages.push_back(one.change.bounce);

    std::error_code error;
    bool accepted = false;
    for (const auto& one : messages)
        if (one->complete) std::exchange(one->complete, {})(*one);
    if (!unhealthy().empty())
        error = std::make_error_code(std::errc::io_error);
    else if (!messages.empty() || !changes.empty())
        error = commit_or_make_room(messages, changes, accepted);
    for (const auto& one : messages) one->written.reset();

    Committed out;
    out.accepted = std::move(accepts);
    if (!accepted && !out.accepted.empty())
        out.error = error ? error : std::make_error_code(std::errc::no_space_on_device);
    if (!error) {
        for (std::size_t at = accepted ? out.accepted.size() : 0; at < messages.size(); ++at)
            out.bounces.push_back(messages[at]);
    } else if (!changes.empty()) {
        put_back(std::move(changes));
    }
    if (!older_.empty() &&
        (older_.size() >= group_changes || older_since_ + 5 * options_.change_delay <= clock_.now()))
        commit_older(false);
    shrink();
    out.unstuck = over_again();
    {
        std::lock_guard lock(mutex_);
        std::uint64_t open = changes_.empty() || !put_back_ ? taken_ + 1 : changes_.front().number;
        if (!older_.empty()) open = std::min(open, older_.front().number);
        out.changes = open - 1;
    }
    out.duration = std::chrono::duration_cast<std::chrono::microseconds>(clock_.now() - begun);
    committed_(std::move(out));
}

void Spool::put_back(Changes changes) {
    std::lock_guard lock(mutex_);
    changes.insert(changes.end(), std::make_move_iterator(changes_.begin()),
                   std::make_move_iterator(changes_.end()));
    changes_ = std::move(changes);
    changes_since_ = clock_.now();
    put_back_ = true;
}

Spool::ChangeRefs Spool::refs(const Changes& changes) {
    ChangeRefs out;
    for (const auto& one : changes) out.push_back(&one.change);
    return out;
}

/// What is on its way out must be written down even where there is no room for more to come in.
std::error_code Spool::commit_or_make_room(std::vector<StoredPtr>& messages, Changes& changes,
                                           bool& accepted) {
    auto count = static_cast<std::ptrdiff_t>(
        messages.size() -
        static_cast<std::size_t>(std::count_if(changes.begin(), changes.end(), [](const Numbered& one) {
            return one.change.bounce != nullptr;
        })));
    std::error_code error = commit_newest(messages, changes);
    accepted = !error;
    if (error && short_of_room(error)) {
        messages.erase(messages.begin(), messages.begin() + count);
        if (changes.empty()) return error;
        if (count > 0) error = commit_newest(messages, changes);
        std::error_code ignored;
        if (error && is_full(error) && std::filesystem::remove(dir_ / reserve_name, ignored))
            error = commit_newest(messages, changes);
    }
    newest_stuck_ = error && short_of_room(error);
    if (newest_stuck_) pause_deliveries(error);
    if (!error) {
        if (std::exchange(short_, false)) report_("the spool can be written again", false);
        keep_reserve();
    }
    return error;
}

void Spool::pause_deliveries(const std::error_code& error) {
    if (stuck_.exchange(true)) return;
    std::string why = is_full(error) ? "the disk is full" : base::file_fault(dir_, error);
    report_(why + ": what was delivered cannot be written down, so deliveries pause until it can be", true);
}

/// Whether everything could be written that could not be before.
bool Spool::over_again() {
    if (newest_stuck_ || older_stuck_ || !stuck_.exchange(false)) return false;
    report_("what was delivered can be written down again: deliveries go on", false);
    return true;
}

/// What was delivered and could not be noted, or only late. Nothing of it is forgotten meanwhile.
void Spool::tell_of_notes(const std::error_code& error) {
    if (error && !short_of_room(error)) {
        // As long as changes are committed only a crash would deliver again.
        if (unhealthy().empty() || stuck_.exchange(true)) return;
        return report_(base::file_fault(dir_, error) +
                           ": what is delivered cannot be written down anywhere on the disk, so deliveries "
                           "pause until postern is restarted",
                       true);
    }
    if (error)
        return report_(base::file_fault(dir_, error) +
                           ": what was delivered cannot be noted, so deliveries pause until it can be",
                       true);
    report_("what was delivered is noted again: deliveries go on", false);
    Committed out;
    out.unstuck = true;
    committed_(std::move(out));
}

/// A little space of our own, given up when the disk is full: emptying a volume needs pages before it frees
/// some.
void Spool::keep_reserve() {
    std::filesystem::path file = dir_ / reserve_name;
    std::error_code ignored;
    if (std::filesystem::exists(file, ignored)) return;
    std::uint64_t size = std::min({reserve_bytes, options_.volume_size / 16, free_bytes() / 16});
    if (size == 0) return;
    const auto opened = base::open_file(file, O_WRONLY | O_CREAT);
    if (!opened) return;
    if (::fallocate(opened->get(), 0, 0, static_cast<off_t>(size)) != 0)
        std::filesystem::remove(file, ignored);
}

/// Damaged pages make the engine ask for absurd amounts of memory; so does a machine that has none left.
bool Spool::damaged(const Volume& volume, const std::error_code& error) {
    constexpr unsigned patience = 10;
    if (error != std::errc::not_enough_memory || ++shortages_ % patience != 0) return is_unsound(error);
    auto soundness = inspect_volume(volume.file(), options_.volume_size);
    return soundness && *soundness == Soundness::damaged;
}

/// Takes an unsound volume out of use; false when it cannot be moved away.
bool Spool::retire(Volume& volume, const std::error_code& error) {
    if (set_aside(volume.file(), error.message())) return false;
    std::lock_guard lock(volumes_mutex_);
    std::erase_if(volumes_, [&volume](const VolumePtr& one) { return one.get() == &volume; });
    return true;
}

/// An empty volume keeps the size it once had; a new one gives that back to the disk.
void Spool::shrink() {
    VolumePtr newest = snapshot().back();
    std::uint64_t used = newest->high_water();
    if (used < shrink_min || (used < options_.volume_size / 16 && free_bytes() > 8 * used)) return;
    if (!newest->known_empty() || !older_.empty()) return;
    try {
        add_volume(newest->number() + 1);
    } catch (const std::system_error&) {
        return;  // no room for another: this one does for now
    }
    tidy({});
}

std::error_code Spool::commit_newest(const std::vector<StoredPtr>& messages, Changes& changes) {
    if (auto error = sync_contents(messages)) {
        fatal(error);
        return error;
    }
    // The eighth that is left is room for the changes that empty the volume again: they need pages before
    // they free some.
    VolumePtr newest = snapshot().back();
    if (!messages.empty() && newest->high_water() >= options_.volume_size / 8 * 7) {
        try {
            add_volume(newest->number() + 1);
        } catch (const std::system_error& fault) {
            fatal(fault.code());
            return fault.code();
        }
        newest = snapshot().back();
    }
    ChangeRefs here;
    for (const auto& one : changes)
        if (one.change.volume == newest->number()) here.push_back(&one.change);
    if (!messages.empty() || !here.empty())
        if (auto error = write(*newest, messages, here)) {
            if (!damaged(*newest, error)) {
                fatal(error);
                return error;
            }
            try {
                add_volume(newest->number() + 1);  // before the other goes: there is always one
            } catch (const std::system_error& fault) {
                fatal(fault.code());
                return fault.code();
            }
            if (!retire(*newest, error)) {
                fatal(error);
                return error;
            }
            return commit_newest(messages, changes);
        }
    shortages_ = 0;
    tidy(here);
    for (auto& one : changes)
        if (one.change.volume != newest->number()) {
            if (older_.empty()) older_since_ = clock_.now();
            older_.push_back(std::move(one));
        }
    return {};
}

void Spool::commit_older(bool stopping) {
    older_stuck_ = false;
    std::map<std::uint32_t, Changes> by_volume;
    for (auto& one : std::exchange(older_, {})) by_volume[one.change.volume].push_back(std::move(one));
    for (auto& [number, changes] : by_volume) {
        VolumePtr at = volume(number);
        if (!at) continue;
        if (auto error = write(*at, {}, refs(changes))) {
            // Nothing is lost by waiting: the settled log knows what was delivered.
            bool gone = damaged(*at, error) && retire(*at, error);
            if (gone || fatal(error) || stopping) continue;
            older_stuck_ = true;
            pause_deliveries(error);
            older_.insert(older_.end(), std::make_move_iterator(changes.begin()),
                          std::make_move_iterator(changes.end()));
            continue;
        }
        tidy(refs(changes));
    }
    older_since_ = clock_.now();
    std::sort(older_.begin(), older_.end(),
              [](const Numbered& a, const Numbered& b) { return a.number < b.number; });
}

std::error_code Spool::write(Volume& volume, const std::vector<StoredPtr>& messages,
                             const ChangeRefs& changes) {
    using Table = Volume::Table;
    std::vector<const Change*> kept;  // damaged, and nothing is erased before its copy is on the disk
    for (const Change* change : changes)
        if (!change->damage.empty() && !set_aside(volume, *change)) kept.push_back(change);
    Volume::Write write(volume);
    for (const auto& stored : messages) {
        const Message& message = stored->message;
        stored->volume = volume.number();
        write.put(Table::message, message.id, encode_message(message));
        if (message.content.bytes) write.put(Table::content, message.id, *message.content.bytes);
        write.put(Table::fresh, message.id, {});
    }
    for (const Change* one : changes) {
        const Change& change = *one;
        if (std::find(kept.begin(), kept.end(), one) != kept.end()) continue;
        for (const auto& key : change.unwait) write.unwait(key, change.id);
        if (change.done || !change.damage.empty()) {
            write.erase(Table::message, change.id);
            write.erase(Table::content, change.id);
            write.erase(Table::progress, change.id);
            write.erase(Table::fresh, change.id);
            continue;
        }
        if (change.progress) write.put(Table::progress, change.id, encode_progress(*change.progress));
        if (change.tried) write.erase(Table::fresh, change.id);
        for (const auto& key : change.wait) write.wait(key, change.id);
    }
    std::error_code error = write.commit();
    // The last write on a full disk is a short one, which LMDB reports as an input/output error.
    if (error != std::errc::io_error) return error;
    if (const auto free = room(); free && *free < full_below)
        error = std::make_error_code(std::errc::no_space_on_device);
    return error;
}

std::error_code Spool::sync_contents(const std::vector<StoredPtr>& messages) const {
    bool any = false;
    for (const auto& stored : messages) {
        if (stored->message.content.file.empty()) continue;
        any = true;
        if (auto error = base::sync_file(*stored->written)) return error;
    }
    return any ? base::sync_folder(contents_) : std::error_code();
}

void Spool::tidy(const ChangeRefs& changes) {
    std::error_code ignored;
    for (const Change* change : changes)
        if (change->done && !change->file.empty()) std::filesystem::remove(change->file, ignored);
    std::lock_guard lock(volumes_mutex_);
    std::erase_if(volumes_, [this](const VolumePtr& one) {
        if (one == volumes_.back() || !one->known_empty()) return false;
        one->unlink();
        return true;
    });
}

bool Spool::set_aside(Volume& volume, const Change& change) {
    using Table = Volume::Table;
    std::error_code error;
    std::filesystem::create_directories(damaged_, error);
    auto keep = [&](Table table, const char* name) {
        if (auto octets = error ? std::nullopt : volume.get(table, change.id))
            error = base::replace_file(damaged_ / (change.id.text() + name), *octets);
    };
    keep(Table::message, ".message");
    keep(Table::content, ".content");
    keep(Table::progress, ".progress");
    if (!error && !change.file.empty()) {
        std::filesystem::rename(change.file, damaged_ / (change.id.text() + ".content"), error);
        if (error == std::errc::no_such_file_or_directory) error.clear();  // that is its damage
        if (!error) error = base::sync_folder(damaged_);
    }
    std::string what = "message " + change.id.text() + " is damaged (" + change.damage + ") and ";
    what += error ? "stays in the spool, untried, since it cannot be copied to " + damaged_.string() + ": " +
                        error.message()
                  : "was set aside in " + damaged_.string();
    report_(what, true);
    if (!error) ++set_aside_;
    return !error;
}

bool Spool::fatal(const std::error_code& error) {
    if (is_full(error)) return false;
    if (is_shortage(error) || is_out_of_reach(error)) {
        // Put off, not given up: clients come again, and what is to be written down is kept.
        if (!std::exchange(short_, true))
            report_("the spool cannot be written at this moment: " + base::file_fault(dir_, error) +
                        "; mail is put off until it can be",
                    false);
        return false;
    }
    std::string why = "the spool could not be written: " + error.message() + "; check the disk, then restart";
    {
        std::lock_guard lock(mutex_);
        if (!unhealthy_.empty()) return true;
        unhealthy_ = why;
    }
    report_(why, true);
    return true;
}

}  // namespace postern::relay
