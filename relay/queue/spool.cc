#include "relay/queue/spool.h"

#include <fcntl.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <fstream>
#include <iterator>
#include <stdexcept>
#include <utility>

#include "relay/queue/durable_file.h"

namespace postern::relay {

namespace {

using Steady = std::chrono::steady_clock;
constexpr std::size_t batch_messages = 1024;
constexpr std::size_t group_changes = 512;
constexpr std::string_view suffix = ".volume";
constexpr const char* reserve_name = "reserve";
constexpr std::uint64_t reserve_bytes = 8ull << 20;
constexpr std::uint64_t full_below = 64ull << 10;
constexpr std::uint64_t shrink_min = 2ull << 20;  // a volume smaller than this is not worth replacing

std::optional<std::uint32_t> volume_number(const std::filesystem::path& file) {
    std::string name = file.filename().string();
    if (name.size() != 8 + suffix.size() || !name.ends_with(suffix)) return std::nullopt;
    std::uint32_t number = 0;
    for (char c : std::string_view(name).substr(0, 8)) {
        if (c < '0' || c > '9') return std::nullopt;
        number = number * 10 + static_cast<std::uint32_t>(c - '0');
    }
    return number;
}

bool is_full(const std::error_code& error) {
    return error == std::errc::no_space_on_device || error == std::error_code(EDQUOT, std::generic_category()) ||
           error == lmdb_error(MDB_MAP_FULL);
}

/// The volume itself is unsound, while the disk may be well.
bool is_damage(const std::error_code& error) {
    if (error == std::errc::not_enough_memory) return true;  // what LMDB asks for on the word of a damaged page
    if (error.category() != lmdb_category()) return false;
    switch (error.value()) {
        case MDB_PAGE_NOTFOUND:
        case MDB_CORRUPTED:
        case MDB_PANIC:
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

Spool::Spool(const std::filesystem::path& dir, Options options, std::function<void(Committed)> committed, Report report)
    : dir_(dir / "spool"),
      contents_(dir_ / "content"),
      damaged_(dir / "damaged"),
      options_(options),
      committed_(std::move(committed)),
      report_(std::move(report)) {
    std::error_code error;
    std::filesystem::create_directories(contents_, error);
    if (error) throw std::runtime_error("state_dir: cannot create " + contents_.string() + ": " + error.message());
    open_volumes();
    replay_settled();
    settled_.emplace(dir_);
    remove_orphans();
    keep_reserve();
}

Spool::~Spool() { stop(); }

// ---------------------------------------------------------------------------------------------------- opening

void Spool::open_volumes() {
    std::vector<std::pair<std::uint32_t, std::filesystem::path>> found;
    for (const auto& entry : std::filesystem::directory_iterator(dir_))
        if (auto number = volume_number(entry.path())) found.emplace_back(*number, entry.path());
    std::sort(found.begin(), found.end());

    std::uint32_t last = 0;
    for (const auto& [number, file] : found) {
        last = number;
        std::string why = "its index is damaged";
        bool good = Volume::intact(file);
        if (good) {
            try {
                volumes_.push_back(std::make_shared<Volume>(file, number, options_.volume_size));
            } catch (const std::system_error& fault) {
                good = false;
                why = fault.what();
            }
        }
        if (good) continue;
        set_aside(file, why);
    }
    for (const auto& one : volumes_) last_id_ = std::max(last_id_.load(), one->last_id().value);
    if (volumes_.empty()) add_volume(last + 1);
}

void Spool::set_aside(const std::filesystem::path& file, const std::string& why) {
    std::error_code error;
    std::filesystem::create_directories(damaged_, error);
    std::filesystem::path to = damaged_ / file.filename();
    std::filesystem::rename(file, to, error);
    std::filesystem::remove(file.string() + "-lock", error);
    report_("spool volume " + file.filename().string() + " cannot be used (" + why + ") and was set aside as " +
                to.string() + "; the mail in it is not delivered",
            true);
}

void Spool::add_volume(std::uint32_t number) {
    std::string digits = std::to_string(number);
    std::string name = std::string(8 - std::min<std::size_t>(8, digits.size()), '0') + digits + std::string(suffix);
    auto volume = std::make_shared<Volume>(dir_ / name, number, options_.volume_size);
    std::error_code error = sync_folder(dir_);
    if (error) throw std::system_error(error, dir_.string());
    std::lock_guard lock(volumes_mutex_);
    volumes_.push_back(std::move(volume));
}

void Spool::replay_settled() {
    std::map<std::uint32_t, Changes> by_volume;
    for (const auto& [id, recipients] : SettledLog::read(dir_)) {
        last_id_ = std::max(last_id_.load(), id.value);
        auto number = find(id);
        if (!number) continue;
        auto loaded = load(id, *number);
        if (!loaded || !loaded->stored) continue;
        bool open = false;
        for (std::size_t at = 0; at < loaded->progress.size(); ++at) {
            RecipientProgress& one = loaded->progress[at];
            if (recipients.contains(static_cast<std::uint16_t>(at))) one.status = RecipientStatus::delivered;
            open = open || !one.resolved();
        }
        Change change{.id = id, .volume = *number, .done = !open, .file = loaded->stored->message.content.file};
        if (open) change.progress = std::move(loaded->progress);
        by_volume[*number].push_back(Numbered{0, std::move(change)});
    }
    for (const auto& [number, changes] : by_volume) {
        if (auto error = write(*volume(number), {}, refs(changes)))
            throw std::runtime_error("state_dir: cannot write the spool: " + error.message());
        tidy(refs(changes));
    }
    SettledLog::clear(dir_);
}

void Spool::remove_orphans() {
    std::error_code ignored;
    for (const auto& entry : std::filesystem::directory_iterator(contents_, ignored)) {
        auto id = MessageId::parse(entry.path().filename().string());
        if (!id || !find(*id)) std::filesystem::remove(entry.path(), ignored);
    }
}

// -------------------------------------------------------------------------------------------------- accepting

MessageId Spool::new_id() {
    std::uint64_t now = MessageId::first_at(std::chrono::system_clock::now()).value;
    std::uint64_t last = last_id_.load();
    while (!last_id_.compare_exchange_weak(last, std::max(last + 1, now))) {
    }
    return MessageId{std::max(last + 1, now)};
}

void Spool::accept(StoredPtr stored, std::function<void(std::error_code)> done) {
    std::lock_guard lock(mutex_);
    accepts_.push_back(Committed::Accept{std::move(stored), std::move(done)});
    if (!gathering_ || arriving_ <= stalled_ || accepts_.size() >= batch_messages) wake_.notify_one();
}

void Spool::arriving(int difference) {
    std::lock_guard lock(mutex_);
    arriving_ += difference;
    stalled_ = std::min(stalled_, arriving_);
    if (gathering_ && difference < 0 && arriving_ <= stalled_) wake_.notify_one();
}

std::string Spool::unhealthy() const {
    std::lock_guard lock(mutex_);
    return unhealthy_;
}

std::uint64_t Spool::free_bytes() const {
    struct statvfs disk {};
    if (statvfs(dir_.c_str(), &disk) != 0) return 0;
    // Without inodes a content file cannot be made, however many bytes are free.
    if (disk.f_files > 0 && disk.f_favail < 64) return 0;
    return static_cast<std::uint64_t>(disk.f_bavail) * disk.f_frsize;
}

std::uint64_t Spool::change(Change change) {
    std::lock_guard lock(mutex_);
    if (changes_.empty()) {
        changes_since_ = Steady::now();
        if (accepts_.empty()) wake_.notify_one();
    }
    changes_.push_back(Numbered{++last_change_, std::move(change)});
    if (changes_.size() == group_changes) wake_.notify_one();
    return last_change_;
}

void Spool::note_delivered(MessageId id, const std::vector<std::uint16_t>& recipients, std::uint64_t number) {
    settled_->note(id, recipients, number);
}

// ------------------------------------------------------------------------------------------------- committing

void Spool::start() {
    thread_ = std::thread([this] { run(); });
}

void Spool::stop() {
    {
        std::lock_guard lock(mutex_);
        stopping_ = true;
        wake_.notify_one();
    }
    if (thread_.joinable()) thread_.join();
}

Steady::time_point Spool::next_work() const {
    if (!accepts_.empty()) return Steady::time_point::min();
    auto next = Steady::time_point::max();
    if (!changes_.empty()) {
        if (changes_.size() >= group_changes && !put_back_) return Steady::time_point::min();
        next = changes_since_ + (put_back_ ? std::chrono::milliseconds(1000) : options_.change_delay);
    }
    if (!older_.empty()) next = std::min(next, older_since_ + 5 * options_.change_delay);
    return next;
}

void Spool::gather(std::unique_lock<std::mutex>& lock) {
    // A commit costs two syncs whatever it holds. Who is in the middle of sending a message will be here within
    // moments and shares them; who was counted last time and did not come is not waited for again.
    gathering_ = true;
    auto until = Steady::now() + options_.gather;
    while (arriving_ > stalled_ && accepts_.size() < batch_messages && !stopping_)
        if (wake_.wait_until(lock, until) == std::cv_status::timeout) {
            stalled_ = arriving_;
            break;
        }
    gathering_ = false;
}

void Spool::run() {
    std::unique_lock lock(mutex_);
    for (;;) {
        auto next = next_work();
        if (stopping_) {
            if (accepts_.empty() && (changes_.empty() || put_back_)) break;
        } else if (next > Steady::now()) {
            if (next == Steady::time_point::max())
                wake_.wait(lock);
            else
                wake_.wait_until(lock, next);
            continue;
        }
        if (!accepts_.empty()) gather(lock);

        std::vector<Committed::Accept> accepts;
        std::uint64_t size = 0;
        for (auto& one : accepts_) {
            size += one.stored->message.content.bytes ? one.stored->message.size() : 0;
            if (accepts.size() == batch_messages || (size > options_.volume_size / 8 && !accepts.empty())) break;
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
    auto begun = Steady::now();
    if (!changes.empty()) taken_ = std::max(taken_, changes.back().number);
    std::vector<StoredPtr> messages;
    for (const auto& one : accepts) messages.push_back(one.stored);
    for (const auto& one : changes)
        if (one.change.bounce) messages.push_back(one.change.bounce);

    std::error_code error;
    bool accepted = false;
    if (!unhealthy().empty())
        error = std::make_error_code(std::errc::io_error);
    else if (!messages.empty() || !changes.empty())
        error = commit_or_make_room(messages, changes, accepted);

    Committed out;
    out.accepted = std::move(accepts);
    if (!accepted && !out.accepted.empty()) out.error = error ? error : std::make_error_code(std::errc::no_space_on_device);
    if (!error) {
        for (std::size_t at = accepted ? out.accepted.size() : 0; at < messages.size(); ++at)
            out.bounces.push_back(messages[at]);
    } else if (!changes.empty()) {
        put_back(std::move(changes));
    }
    shrink();
    if (!older_.empty() && (older_.size() >= group_changes || older_since_ + 5 * options_.change_delay <= Steady::now()))
        commit_older(false);
    {
        std::lock_guard lock(mutex_);
        std::uint64_t open = changes_.empty() || !put_back_ ? taken_ + 1 : changes_.front().number;
        if (!older_.empty()) open = std::min(open, older_.front().number);
        out.changes = open - 1;
    }
    out.duration = std::chrono::duration_cast<std::chrono::microseconds>(Steady::now() - begun);
    committed_(std::move(out));
}

void Spool::put_back(Changes changes) {
    std::lock_guard lock(mutex_);
    changes.insert(changes.end(), std::make_move_iterator(changes_.begin()), std::make_move_iterator(changes_.end()));
    changes_ = std::move(changes);
    changes_since_ = Steady::now();
    put_back_ = true;
}

Spool::ChangeRefs Spool::refs(const Changes& changes) {
    ChangeRefs out;
    for (const auto& one : changes) out.push_back(&one.change);
    return out;
}

/// What is on its way out must be written down even where there is no room for more to come in.
std::error_code Spool::commit_or_make_room(std::vector<StoredPtr>& messages, Changes& changes, bool& accepted) {
    auto count = static_cast<std::ptrdiff_t>(
        messages.size() - static_cast<std::size_t>(std::count_if(changes.begin(), changes.end(), [](const Numbered& one) { return one.change.bounce != nullptr; })));
    std::error_code error = commit_newest(messages, changes);
    accepted = !error;
    if (error && is_full(error)) {
        messages.erase(messages.begin(), messages.begin() + count);
        if (changes.empty()) return error;
        if (count > 0) error = commit_newest(messages, changes);
        std::error_code ignored;
        if (error && is_full(error) && std::filesystem::remove(dir_ / reserve_name, ignored)) error = commit_newest(messages, changes);
    }
    bool stuck = error && is_full(error);
    if (stuck && !stuck_.exchange(true))
        report_("the disk is full: what was delivered cannot be written down, so deliveries pause until there is room", true);
    if (!error) {
        if (stuck_.exchange(false)) report_("there is room on the disk again: deliveries go on", false);
        keep_reserve();
    }
    return error;
}

/// A little space of our own, given up when the disk is full: emptying a volume needs pages before it frees some.
void Spool::keep_reserve() {
    std::filesystem::path file = dir_ / reserve_name;
    std::error_code ignored;
    if (std::filesystem::exists(file, ignored)) return;
    std::uint64_t size = std::min({reserve_bytes, options_.volume_size / 16, free_bytes() / 16});
    if (size == 0) return;
    int fd = ::open(file.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0) return;
    bool kept = ::fallocate(fd, 0, 0, static_cast<off_t>(size)) == 0;
    ::close(fd);
    if (!kept) std::filesystem::remove(file, ignored);
}

/// Takes a volume that turned out to be unsound out of use; false when that is not what the error says.
bool Spool::retire(Volume& volume, const std::error_code& error) {
    if (!is_damage(error)) return false;
    set_aside(volume.file(), error.message());
    std::lock_guard lock(volumes_mutex_);
    std::erase_if(volumes_, [&volume](const VolumePtr& one) { return one.get() == &volume; });
    return true;
}

/// An empty volume keeps the size it once had; a new one gives that back to the disk.
void Spool::shrink() {
    VolumePtr newest = snapshot().back();
    std::uint64_t used = newest->high_water();
    if (used < shrink_min || (used < options_.volume_size / 16 && free_bytes() > 8 * used)) return;
    if (newest->messages() > 0 || !older_.empty()) return;
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
    // The eighth that is left is room for the changes that empty the volume again: they need pages before they free some.
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
            if (!retire(*newest, error)) {
                fatal(error);
                return error;
            }
            add_volume(newest->number() + 1);
            return commit_newest(messages, changes);
        }
    tidy(here);
    for (auto& one : changes)
        if (one.change.volume != newest->number()) {
            if (older_.empty()) older_since_ = Steady::now();
            older_.push_back(std::move(one));
        }
    return {};
}

void Spool::commit_older(bool stopping) {
    std::map<std::uint32_t, Changes> by_volume;
    for (auto& one : std::exchange(older_, {})) by_volume[one.change.volume].push_back(std::move(one));
    for (auto& [number, changes] : by_volume) {
        VolumePtr at = volume(number);
        if (!at) continue;
        if (auto error = write(*at, {}, refs(changes))) {
            // Nothing is lost by waiting: the settled log knows what was delivered.
            if (!retire(*at, error) && !fatal(error) && !stopping)
                older_.insert(older_.end(), std::make_move_iterator(changes.begin()), std::make_move_iterator(changes.end()));
            continue;
        }
        tidy(refs(changes));
    }
    older_since_ = Steady::now();
    std::sort(older_.begin(), older_.end(), [](const Numbered& a, const Numbered& b) { return a.number < b.number; });
}

std::error_code Spool::write(Volume& volume, const std::vector<StoredPtr>& messages, const ChangeRefs& changes) {
    using Table = Volume::Table;
    for (const Change* change : changes)
        if (!change->damage.empty()) set_aside(volume, *change);
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
    if (error == std::errc::io_error && free_bytes() < full_below) error = std::make_error_code(std::errc::no_space_on_device);
    return error;
}

std::error_code Spool::sync_contents(const std::vector<StoredPtr>& messages) const {
    bool any = false;
    for (const auto& stored : messages) {
        if (stored->message.content.file.empty()) continue;
        any = true;
        if (auto error = sync_file(stored->message.content.file)) return error;
    }
    return any ? sync_folder(contents_) : std::error_code();
}

void Spool::tidy(const ChangeRefs& changes) {
    std::error_code ignored;
    for (const Change* change : changes)
        if (change->done && !change->file.empty()) std::filesystem::remove(change->file, ignored);
    std::lock_guard lock(volumes_mutex_);
    std::erase_if(volumes_, [this](const VolumePtr& one) {
        if (one == volumes_.back() || one->messages() > 0) return false;
        one->unlink();
        return true;
    });
}

void Spool::set_aside(Volume& volume, const Change& change) {
    using Table = Volume::Table;
    std::error_code ignored;
    std::filesystem::create_directories(damaged_, ignored);
    auto keep = [&](Table table, const char* name) {
        if (auto octets = volume.get(table, change.id))
            std::ofstream(damaged_ / (change.id.text() + name), std::ios::binary) << *octets;
    };
    keep(Table::message, ".message");
    keep(Table::content, ".content");
    keep(Table::progress, ".progress");
    if (!change.file.empty())
        std::filesystem::rename(change.file, damaged_ / (change.id.text() + ".content"), ignored);
    report_("message " + change.id.text() + " is damaged (" + change.damage + ") and was set aside in " + damaged_.string(), true);
}

bool Spool::fatal(const std::error_code& error) {
    if (is_full(error)) return false;
    std::string why = "the spool could not be written: " + error.message() + "; check the disk, then restart";
    {
        std::lock_guard lock(mutex_);
        if (!unhealthy_.empty()) return true;
        unhealthy_ = why;
    }
    report_(why, true);
    return true;
}

// ----------------------------------------------------------------------------------------------------- reading

std::vector<Spool::VolumePtr> Spool::snapshot() const {
    std::lock_guard lock(volumes_mutex_);
    return volumes_;
}

Spool::VolumePtr Spool::volume(std::uint32_t number) const {
    std::lock_guard lock(volumes_mutex_);
    auto found = std::find_if(volumes_.begin(), volumes_.end(), [&](const VolumePtr& one) { return one->number() == number; });
    return found == volumes_.end() ? nullptr : *found;
}

std::vector<std::uint32_t> Spool::volumes() const {
    std::vector<std::uint32_t> out;
    for (const auto& one : snapshot()) out.push_back(one->number());
    return out;
}

std::vector<MessageId> Spool::fresh(std::uint32_t number, MessageId after, std::size_t limit) const {
    VolumePtr at = volume(number);
    return at ? at->ids(Volume::Table::fresh, after, limit) : std::vector<MessageId>();
}

std::vector<MessageId> Spool::messages(std::uint32_t number, MessageId after, std::size_t limit) const {
    VolumePtr at = volume(number);
    return at ? at->ids(Volume::Table::message, after, limit) : std::vector<MessageId>();
}

std::vector<WaitEntry> Spool::due(const std::string& route, Time until, std::size_t limit,
                                  const std::function<bool(MessageId)>& skip) const {
    std::vector<WaitEntry> out;
    for (const auto& one : snapshot()) {
        if (out.size() >= limit) break;
        auto more = one->due(route, until, limit - out.size(), skip);
        out.insert(out.end(), more.begin(), more.end());
    }
    return out;
}

std::vector<WaitKey> Spool::routes() const {
    std::map<std::string, Time> merged;
    for (const auto& one : snapshot())
        for (auto& key : one->routes()) {
            auto [at, added] = merged.emplace(std::move(key.route), key.due);
            if (!added) at->second = std::min(at->second, key.due);
        }
    std::vector<WaitKey> out;
    for (auto& [route, due] : merged) out.push_back(WaitKey{route, due});
    return out;
}

std::optional<std::uint32_t> Spool::find(MessageId id) const {
    for (const auto& one : snapshot())
        if (one->has(Volume::Table::message, id)) return one->number();
    return std::nullopt;
}

std::optional<Loaded> Spool::load(MessageId id, std::uint32_t number) const {
    VolumePtr at = volume(number);
    if (!at) return std::nullopt;
    auto record = at->get(Volume::Table::message, id);
    if (!record) return std::nullopt;
    Loaded out;
    auto message = decode_message(id, *record);
    if (!message) return out;
    if (!message->content.file.empty()) message->content.file = contents_ / message->content.file;
    out.progress.resize(message->envelope.forward_paths.size());
    if (auto octets = at->get(Volume::Table::progress, id)) {
        auto progress = decode_progress(*octets);
        if (!progress || progress->size() != out.progress.size()) return out;
        out.progress = std::move(*progress);
    }
    out.stored = std::make_shared<Stored>(Stored{std::move(*message), number});
    return out;
}

std::shared_ptr<const std::string> Spool::load_content(const Message& message, std::uint32_t number) const {
    VolumePtr at = volume(number);
    if (!at) return nullptr;
    auto octets = at->get(Volume::Table::content, message.id);
    if (!octets || octets->size() != message.content.size || checksum(*octets) != message.content.checksum) return nullptr;
    return std::make_shared<const std::string>(std::move(*octets));
}

std::uint64_t Spool::count() const {
    std::uint64_t out = 0;
    for (const auto& one : snapshot()) out += one->messages();
    return out;
}

std::uint64_t Spool::waiting(const std::string& route) const {
    constexpr std::size_t enough = 100'000;
    return due(route, Time::max(), enough, [](MessageId) { return false; }).size();
}

std::uint64_t Spool::bytes() const {
    std::uint64_t out = 0;
    std::error_code ignored;
    for (const auto& one : snapshot()) out += one->high_water();
    for (const auto& entry : std::filesystem::directory_iterator(contents_, ignored)) out += entry.file_size(ignored);
    return out;
}

}  // namespace postern::relay
