#include "relay/queue/spool.h"

#include <sys/statvfs.h>

#include <algorithm>
#include <stdexcept>
#include <utility>

#include "relay/queue/inspection.h"
#include "relay/queue/volume.h"
#include "sync/base/file.h"
#include "sync/base/file_fault.h"

namespace postern::relay {

namespace {

constexpr std::string_view suffix = ".volume";
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

}  // namespace

Spool::Spool(const std::filesystem::path& dir, const base::Clock& clock, Options options,
             std::function<void(Committed)> committed, Report report)
    : dir_(dir / "spool"),
      contents_(dir_ / "content"),
      damaged_(dir / "damaged"),
      clock_(clock),
      options_(options),
      committed_(std::move(committed)),
      report_(std::move(report)) {
    std::error_code error;
    std::filesystem::create_directories(contents_, error);
    if (error) throw std::runtime_error("state_dir: cannot create " + base::file_fault(contents_, error));
    open_volumes();
    replay_settled();
    settled_.emplace(dir_, clock_, [this](const std::error_code& error) { tell_of_notes(error); });
    remove_orphans();
    keep_reserve();
}

Spool::~Spool() { stop(); }

// ---- opening

void Spool::open_volumes() {
    std::vector<std::pair<std::uint32_t, std::filesystem::path>> found;
    std::error_code unreadable;
    for (const auto& entry : std::filesystem::directory_iterator(dir_, unreadable))
        if (auto number = volume_number(entry.path())) found.emplace_back(*number, entry.path());
    if (unreadable) throw std::runtime_error("state_dir: cannot read " + base::file_fault(dir_, unreadable));
    std::sort(found.begin(), found.end());

    std::uint32_t last = 0;
    for (const auto& [number, file] : found) {
        last = number;
        auto soundness = inspect_volume(file, options_.volume_size);
        std::error_code error = soundness ? std::error_code() : soundness.error();
        if (soundness && *soundness == Soundness::damaged) {
            error = set_aside(file, "its index is damaged");
        } else if (soundness) {
            try {
                volumes_.push_back(std::make_shared<Volume>(file, number, options_.volume_size));
            } catch (const std::system_error& fault) {
                error = fault.code();
            }
        }
        if (error) throw std::runtime_error("state_dir: cannot use " + base::file_fault(file, error));
    }
    for (const auto& one : volumes_) last_id_ = std::max(last_id_.load(), one->last_id().value);
    if (volumes_.empty()) add_volume(last + 1);
}

/// Beside what is there already, never over it.
std::error_code Spool::move_aside(const std::filesystem::path& file) const {
    std::error_code error;
    std::filesystem::create_directories(damaged_, error);
    if (error) return error;
    std::filesystem::path to = damaged_ / file.filename();
    for (int again = 2; std::filesystem::exists(to, error); ++again)
        to = damaged_ / (file.filename().string() + '.' + std::to_string(again));
    if (!error) std::filesystem::rename(file, to, error);
    if (!error) error = base::sync_folder(damaged_);
    if (!error) error = base::sync_folder(file.parent_path());
    return error;
}

std::error_code Spool::set_aside(const std::filesystem::path& file, const std::string& why) {
    if (auto error = move_aside(file)) {
        report_("spool volume " + file.filename().string() + " cannot be used (" + why +
                    "), and cannot be moved to " + damaged_.string() + ": " + error.message(),
                true);
        return error;
    }
    ++set_aside_;
    std::error_code ignored;
    std::filesystem::remove(file.string() + "-lock", ignored);
    report_("spool volume " + file.filename().string() + " cannot be used (" + why +
                ") and was set aside in " + damaged_.string() + "; the mail in it is not delivered",
            true);
    return {};
}

void Spool::add_volume(std::uint32_t number) {
    std::string digits = std::to_string(number);
    std::string name =
        std::string(8 - std::min<std::size_t>(8, digits.size()), '0') + digits + std::string(suffix);
    auto volume = std::make_shared<Volume>(dir_ / name, number, options_.volume_size);
    std::error_code error = base::sync_folder(dir_);
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
        Change change;
        change.id = id;
        change.volume = *number;
        change.done = !open;
        change.file = loaded->stored->message.content.file;
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

/// Content files that no record names: of messages that were never accepted, unless a volume is missing whose
/// records may name them, or it cannot be seen whether one is.
void Spool::remove_orphans() {
    std::error_code ignored, unseen;
    bool all_here = true;
    for (const auto& entry : std::filesystem::directory_iterator(damaged_, unseen))
        all_here = all_here && entry.path().filename().string().find(suffix) == std::string::npos;
    if (unseen && unseen != std::errc::no_such_file_or_directory)
        return report_(
            "content files that no message has are left where they are: it cannot be seen what was "
            "set aside, " +
                base::file_fault(damaged_, unseen),
            false);
    for (const auto& entry : std::filesystem::directory_iterator(contents_, ignored)) {
        auto id = MessageId::parse(entry.path().filename().string());
        if (id && find(*id)) continue;
        if (all_here)
            std::filesystem::remove(entry.path(), ignored);
        else if (auto error = move_aside(entry.path()))
            report_(entry.path().string() +
                        " may belong to a volume that was set aside, and cannot be moved there: " +
                        error.message(),
                    false);
    }
}

// ---- accepting

MessageId Spool::new_id() {
    std::uint64_t now = MessageId::first_at(clock_.wall()).value;
    std::uint64_t last = last_id_.load();
    while (!last_id_.compare_exchange_weak(last, std::max(last + 1, now))) {
    }
    return MessageId{std::max(last + 1, now)};
}

void Spool::accept(StoredPtr stored, std::function<void(std::error_code)> done) {
    if (stored->message.arrived == Time{}) stored->message.arrived = clock_.wall();
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

tl::expected<std::uint64_t, std::error_code> Spool::room() const {
    struct statvfs disk {};
    if (statvfs(dir_.c_str(), &disk) != 0)
        return tl::unexpected(std::error_code(errno, std::generic_category()));
    // Without inodes a content file cannot be made, however many bytes are free.
    if (disk.f_files > 0 && disk.f_favail < 64) return 0;
    return static_cast<std::uint64_t>(disk.f_bavail) * disk.f_frsize;
}

std::string Spool::want(std::uint64_t minimum_free) const {
    const std::string disk = "the disk of " + dir_.parent_path().string();
    if (stuck())
        return "what was delivered cannot be written down on " + disk +
               ", so deliveries pause; the trouble in the log says why";
    auto free = room();
    if (!free)
        return "no mail is taken, since " + disk +
               " does not tell how much room it has: " + base::file_fault(dir_, free.error());
    if (*free >= minimum_free) return {};
    return "no mail is taken, since " + disk + " has " + std::to_string(*free >> 20) +
           " MiB left, or no inodes, and accept.minimum_free wants " + std::to_string(minimum_free >> 20) +
           " MiB: make room";
}

std::uint64_t Spool::change(Change change) {
    std::lock_guard lock(mutex_);
    if (changes_.empty()) {
        changes_since_ = clock_.now();
        if (accepts_.empty()) wake_.notify_one();
    }
    settled_->recorded(change.id, ++last_change_);
    if (change.bounce && change.bounce->message.arrived == Time{})
        change.bounce->message.arrived = clock_.wall();
    changes_.push_back(Numbered{last_change_, std::move(change)});
    if (changes_.size() == group_changes) wake_.notify_one();
    return last_change_;
}

void Spool::note_delivered(MessageId id, const std::vector<std::uint16_t>& recipients) {
    settled_->note(id, recipients);
}

// ---- reading

std::vector<Spool::VolumePtr> Spool::snapshot() const {
    std::lock_guard lock(volumes_mutex_);
    return volumes_;
}

Spool::VolumePtr Spool::volume(std::uint32_t number) const {
    std::lock_guard lock(volumes_mutex_);
    auto found = std::find_if(volumes_.begin(), volumes_.end(),
                              [&](const VolumePtr& one) { return one->number() == number; });
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

std::vector<WaitEntry> Spool::due(const RouteKey& route, Time until, std::size_t limit,
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
    std::map<RouteKey, Time> merged;
    for (const auto& one : snapshot())
        for (auto& key : one->routes()) {
            auto [at, added] = merged.emplace(std::move(key.route), key.due);
            if (!added) at->second = std::min(at->second, key.due);
        }
    std::vector<WaitKey> out;
    for (auto& [route, due] : merged) out.push_back(WaitKey{route, due});
    return out;
}

bool Spool::waits(const WaitKey& key, MessageId id, std::uint32_t number) const {
    VolumePtr at = volume(number);
    return at && at->waits(key, id);
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

tl::expected<std::shared_ptr<const std::string>, ContentFault> Spool::load_content(
    const Message& message, std::uint32_t number) const {
    const Content& content = message.content;
    if (content.bytes) return content.bytes;
    if (!content.file.empty()) return read_content(content);
    VolumePtr at = volume(number);
    if (!at) return tl::unexpected(ContentFault::proven("its content is missing"));
    std::optional<std::string> octets;
    try {
        octets = at->get(Volume::Table::content, message.id);
    } catch (const std::system_error& fault) {
        return tl::unexpected(ContentFault::unreadable(at->file().string(), fault.code()));
    }
    if (!octets) return tl::unexpected(ContentFault::proven("its content is missing"));
    if (octets->size() != content.size || checksum(*octets) != content.checksum)
        return tl::unexpected(ContentFault::proven("its content does not match its checksum"));
    return std::make_shared<const std::string>(std::move(*octets));
}

std::uint64_t Spool::count() const {
    std::uint64_t out = 0;
    for (const auto& one : snapshot()) out += one->messages();
    return out;
}

std::uint64_t Spool::waiting(const RouteKey& route) const {
    constexpr std::size_t enough = 100'000;
    return due(route, Time::max(), enough, [](MessageId) { return false; }).size();
}

std::uint64_t Spool::bytes() const {
    std::uint64_t out = 0;
    std::error_code ignored;
    for (const auto& one : snapshot()) out += one->high_water();
    for (const auto& entry : std::filesystem::directory_iterator(contents_, ignored))
        out += entry.file_size(ignored);
    return out;
}

}  // namespace postern::relay
