#include "relay/queue/spool.h"

#include <algorithm>
#include <array>
#include <stdexcept>
#include <utility>

#include "relay/queue/earlier_spool.h"
#include "relay/queue/journal.h"
#include "relay/queue/recovery.h"
#include "relay/queue/upkeep.h"
#include "sync/base/file_fault.h"

namespace postern::relay {

namespace {

/// Of a message's record, read at once; most descriptions are shorter.
constexpr std::size_t description_usually = 4096;

[[noreturn]] void unusable(const std::filesystem::path& path, const std::error_code& error) {
    throw std::runtime_error("state_dir: cannot use " + base::file_fault(path, error));
}

/// What has become of a message, as a change that says so.
Change to_write_down(const Message& message, Progress progress) {
    Change out;
    out.id = message.id;
    out.file = message.content.file;
    out.done = std::all_of(progress.begin(), progress.end(),
                           [](const RecipientProgress& one) { return one.resolved(); });
    if (!out.done) out.progress = std::move(progress);
    return out;
}

}  // namespace

Spool::Spool(const std::filesystem::path& dir, const base::Clock& clock, base::Disk& disk, Options options,
             std::function<void(Committed)> committed, Report report)
    : dir_(dir / "spool"),
      contents_(dir_ / "content"),
      clock_(clock),
      disk_(disk),
      options_(options),
      committed_(std::move(committed)),
      report_(std::move(report)),
      damaged_(disk, dir / "damaged"),
      holdings_(std::make_unique<Holdings>()) {
    if (auto error = disk_.make_folder(contents_))
        throw std::runtime_error("state_dir: cannot create " + base::file_fault(contents_, error));
    open();
    notes_.emplace(
        clock_, [this](const std::vector<Note>& notes) { return note(notes); },
        [this](const std::error_code& error) { tell_of_notes(error); });
}

Spool::~Spool() {
    stop();
    notes_.reset();  // its thread tells what goes wrong, of what is destroyed before it
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
    std::unique_lock lock(mutex_);
    if (stopping_ && !running_) {
        lock.unlock();
        if (done) done(std::make_error_code(std::errc::operation_canceled));
        return;
    }
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
    if (change.bounce && change.bounce->message.arrived == Time{})
        change.bounce->message.arrived = clock_.wall();
    changes_.push_back(Numbered{++last_change_, std::move(change)});
    if (changes_.size() == group_changes) wake_.notify_one();
    return last_change_;
}

void Spool::sync_soon() {
    std::lock_guard lock(mutex_);
    sync_wanted_ = true;
    wake_.notify_one();
}

// ---- reading

std::vector<MessageId> Spool::fresh(MessageId after, std::size_t limit) const {
    std::shared_lock lock(holdings_->mutex);
    return holdings_->index.fresh(after, limit);
}

std::vector<MessageId> Spool::messages(MessageId after, std::size_t limit) const {
    std::shared_lock lock(holdings_->mutex);
    return holdings_->index.messages(after, limit);
}

std::vector<WaitEntry> Spool::due(const RouteKey& route, Time until, std::size_t limit,
                                  const std::function<bool(MessageId)>& skip) const {
    std::shared_lock lock(holdings_->mutex);
    return holdings_->index.due(route, until, limit, skip);
}

std::vector<WaitKey> Spool::routes() const {
    std::shared_lock lock(holdings_->mutex);
    return holdings_->index.routes();
}

bool Spool::waits(const WaitKey& key, MessageId id) const {
    std::shared_lock lock(holdings_->mutex);
    return holdings_->index.waits(key, id);
}

bool Spool::contains(MessageId id) const {
    std::shared_lock lock(holdings_->mutex);
    return holdings_->index.contains(id);
}

std::uint64_t Spool::count() const {
    std::shared_lock lock(holdings_->mutex);
    return holdings_->index.size();
}

std::uint64_t Spool::waiting(const RouteKey& route) const {
    std::shared_lock lock(holdings_->mutex);
    return holdings_->index.waiting(route);
}

std::uint64_t Spool::bytes() const {
    std::uint64_t out = 0;
    {
        std::shared_lock lock(holdings_->mutex);
        for (const auto& [segment, octets] : holdings_->index.live()) out += octets;
    }
    std::error_code ignored;
    for (const auto& entry : std::filesystem::directory_iterator(contents_, ignored))
        out += entry.file_size(ignored);
    return out;
}

tl::expected<Loaded, ContentFault> Spool::read(MessageId id, const Place& at, const Place& progress) const {
    auto record = journal_->read_beginning(at, description_usually);
    if (!record) return tl::make_unexpected(record.error());
    auto parts = split_message(record->body);
    if (!parts && record->body.size() < record->header.length) {
        record = journal_->read(at);
        if (!record) return tl::make_unexpected(record.error());
        parts = split_message(record->body);
    }
    auto message = parts && record->header.id == id ? decode_message(id, parts->description) : std::nullopt;
    if (!message) return tl::make_unexpected(ContentFault::proven("its record cannot be read"));
    if (!message->content.file.empty()) message->content.file = contents_ / message->content.file;
    Loaded out;
    out.progress.resize(message->envelope.forward_paths.size());
    if (progress) {
        const auto written = journal_->read(progress);
        if (!written) return tl::make_unexpected(written.error());
        auto decoded = written->header.id == id ? decode_progress(written->body) : std::nullopt;
        if (!decoded || decoded->size() != out.progress.size())
            return tl::make_unexpected(ContentFault::proven("what became of it cannot be read"));
        out.progress = std::move(*decoded);
    }
    out.stored = std::make_shared<Stored>(Stored{std::move(*message)});
    return out;
}

std::optional<Loaded> Spool::load(MessageId id) const {
    Index::Entry last;
    for (;;) {
        std::optional<Index::Entry> entry;
        std::set<std::uint16_t> delivered;
        {
            std::shared_lock lock(holdings_->mutex);
            entry = holdings_->index.find(id);
            if (const auto* noted = holdings_->index.delivered(id)) delivered = *noted;
        }
        if (!entry) return std::nullopt;
        // What cannot be read may have been moved meanwhile; where it was not, it is damaged.
        if (entry->message == last.message && entry->progress == last.progress) return Loaded{};
        last = *entry;
        auto out = read(id, entry->message, entry->progress);
        if (!out && !out.error().damaged()) throw std::system_error(out.error().error, out.error().why);
        if (!out) continue;
        for (const std::uint16_t recipient : delivered)
            if (recipient < out->progress.size() && out->progress[recipient].pending())
                out->progress[recipient].status = RecipientStatus::delivered;
        return std::move(*out);
    }
}

tl::expected<std::shared_ptr<const std::string>, ContentFault> Spool::load_content(
    const Message& message) const {
    const Content& content = message.content;
    if (content.bytes) return content.bytes;
    if (!content.file.empty()) return read_content(content);
    ContentFault fault = ContentFault::proven("its content is missing");
    for (Place last;;) {
        std::optional<Index::Entry> entry;
        {
            std::shared_lock lock(holdings_->mutex);
            entry = holdings_->index.find(message.id);
        }
        if (!entry || entry->message == last) return tl::make_unexpected(fault);
        last = entry->message;
        if (last.length < content.size) return tl::make_unexpected(fault);
        // It ends the record, and proves itself.
        auto octets = journal_->raw(last.segment, last.offset() + last.length - content.size,
                                    static_cast<std::size_t>(content.size));
        if (!octets)
            fault = octets.error();
        else if (octets->size() == content.size && checksum(*octets) == content.checksum)
            return std::make_shared<const std::string>(std::move(*octets));
        else
            fault = ContentFault::proven("its content does not match its checksum");
        if (!fault.damaged()) return tl::make_unexpected(fault);
    }
}

// ---- opening

void Spool::open() {
    try {
        journal_ = std::make_unique<Journal>(disk_, dir_, options_.segment_size);
    } catch (const std::filesystem::filesystem_error& fault) {
        unusable(fault.path1(), fault.code());
    }
    const auto recovered = recover(disk_, *journal_, *holdings_);
    if (!recovered && base::is_full(recovered.error()))
        throw std::runtime_error("state_dir: the spool needs " + std::to_string(options_.segment_size >> 20) +
                                 " MiB at once for its next file (queue.volume_size): " +
                                 base::file_fault(dir_, recovered.error()));
    if (!recovered) unusable(dir_, recovered.error());
    // One that was not used must not be found again when segments behind it are gone.
    if (recovered->checkpoint.segment == 0)
        if (auto error = drop_checkpoint(disk_, dir_)) unusable(dir_, error);
    last_id_ = holdings_->last_id.value;
    if (!recovered->checkpoint_fault.empty())
        report_("the spool's index " + recovered->checkpoint_fault + "; it was made anew from the mail",
                false);
    tell_missing(*recovered);
    std::set<std::uint32_t> pinned;
    bool lost = !recovered->missing.empty() || !recovered->absent.empty(), unreadable = false;
    for (const auto& loss : recovered->losses) {
        unreadable = unreadable || loss.what == Scanned::What::unreadable;
        lost = lost || !loss.torn;
        if (!keep(loss)) pinned.insert(loss.place.segment);
    }
    // Where anything is wrong the next start should not find it again.
    const bool anew = !recovered->losses.empty() || lost;
    CheckpointStart checkpoint = recovered->checkpoint;
    // Or it must: what is neither read nor copied is behind no checkpoint then.
    if (!pinned.empty() && !drop_checkpoint(disk_, dir_)) checkpoint = {};
    upkeep_ = std::make_unique<Upkeep>(
        disk_, clock_, *journal_, *holdings_,
        Upkeep::Host{[this](const std::function<void()>& work) { between_commits(work); },
                     [this] { return make_durable(); }, report_},
        checkpoint, anew ? 0 : recovered->checkpoint_size, std::move(pinned));
    const Earlier earlier = take_earlier();
    settle_notes();
    const bool spoilt = !earlier.damaged.empty() || !earlier.incomplete.empty();
    const bool settled = !unreadable && remove_orphans(lost || spoilt);
    // Behind the contents that may belong to them: those would be taken for orphans once they are gone.
    finish_earlier(earlier, settled);
    if (!journal_->has_spare())
        if (auto error = journal_->prepare_spare(); error && !short_of_room(error)) unusable(dir_, error);
    // So that the first message finds all of it, names too, on the disk.
    if (auto error = sync()) unusable(dir_, error);
}

/// Its octets to damaged/, and says so. False when they must stay where they are.
bool Spool::keep(const Loss& loss) {
    std::string octets;
    bool kept = false;
    if (loss.what != Scanned::What::unreadable)
        if (auto raw = journal_->raw(loss.place.segment, loss.place.offset(), loss.place.length)) {
            octets = std::move(*raw);
            octets.resize(octets.find_last_not_of('\0') + 1);
            kept = !damaged_.keep(name_of(loss), octets);
        }
    if (!loss.torn) ++set_aside_;
    report_(in_words(loss, octets, kept, dir_, damaged_.path()), !loss.torn);
    return kept;
}

void Spool::tell_missing(const Recovered& recovered) {
    for (const auto& absent : recovered.absent) {
        ++set_aside_;
        report_("segments " + std::to_string(absent.first) + " to " + std::to_string(absent.last) +
                    " of the spool are missing from " + dir_.string() + ", and with them " +
                    std::to_string(absent.records) + " records",
                true);
    }
    const auto& missing = recovered.missing;
    if (missing.empty()) return;
    constexpr std::size_t most = 5;
    set_aside_ += missing.size();
    std::string some;
    for (std::size_t at = 0; at < std::min(missing.size(), most); ++at)
        some += (at > 0 ? ", " : "") + missing[at].text();
    report_("files of the spool are missing from " + dir_.string() + ", and with them " +
                std::to_string(missing.size()) + (missing.size() == 1 ? " message (" : " messages (") + some +
                (missing.size() > most ? ", ...)" : ")"),
            true);
}

/// What a version before the journal kept. Until a volume is gone this can be done again from its beginning.
Spool::Earlier Spool::take_earlier() {
    constexpr std::size_t at_once = 200;
    Earlier out;
    const auto volumes = earlier_volumes(dir_);
    if (!volumes) unusable(dir_, volumes.error());
    if (volumes->empty()) return out;
    const auto delivered = earlier_deliveries(dir_);
    if (!delivered) unusable(dir_, delivered.error());
    std::vector<StoredPtr> messages;
    Changes changes;
    const auto flush = [&] {
        const auto wrote = write(messages, {});
        const auto error = wrote.accepted ? wrote.accepted : write({}, changes).changes;
        if (error) unusable(dir_, error);
        messages.clear();
        changes.clear();
    };
    std::uint64_t taken = 0;
    for (const auto& volume : *volumes) {
        const auto sound = earlier_volume_sound(volume);
        if (!sound) unusable(volume, sound.error());
        if (!*sound) {
            out.damaged.push_back(volume);
            continue;
        }
        std::size_t unreadable = 0;
        try {
            unreadable = read_earlier_volume(volume, [&](EarlierMessage one) {
                ++taken;
                last_id_ = std::max(last_id_.load(), one.message.id.value);
                if (!one.message.content.file.empty())
                    one.message.content.file = contents_ / one.message.content.file;
                if (const auto noted = delivered->find(one.message.id); noted != delivered->end()) {
                    if (!one.progress) one.progress.emplace(one.message.envelope.forward_paths.size());
                    for (const std::uint16_t at : noted->second)
                        if (at < one.progress->size())
                            (*one.progress)[at].status = RecipientStatus::delivered;
                }
                if (one.progress) {
                    Change change = to_write_down(one.message, std::move(*one.progress));
                    change.tried = !one.fresh;
                    changes.push_back(Numbered{0, std::move(change)});
                }
                messages.push_back(std::make_shared<Stored>(Stored{std::move(one.message)}));
                if (messages.size() == at_once) flush();
            });
            flush();
        } catch (const std::system_error& fault) {
            unusable(volume, fault.code());
        }
        if (auto error = sync()) unusable(dir_, error);
        if (unreadable > 0)
            out.incomplete.emplace_back(volume, unreadable);
        else if (auto failed = disk_.remove(volume))
            unusable(volume, failed);  // it would all be taken again
    }
    if (auto error = disk_.sync_folder(dir_)) unusable(dir_, error);
    report_("the mail of an earlier version's spool was taken over: " + std::to_string(taken) + " messages",
            false);
    return out;
}

/// `settled`: no content can be taken for an orphan any more that may belong to a damaged volume.
void Spool::finish_earlier(const Earlier& earlier, bool settled) {
    const std::string aside = damaged_.path().string();
    for (const auto& [volume, unreadable] : earlier.incomplete) {
        // What of it can be read is taken over; the rest is in the file.
        if (auto error = damaged_.move_here(volume)) unusable(volume, error);
        set_aside_ += unreadable;
        report_(std::to_string(unreadable) + " messages of spool volume " + volume.filename().string() +
                    " cannot be read; it was set aside in " + aside,
                true);
    }
    for (const auto& volume : earlier.damaged) {
        ++set_aside_;
        const std::string what =
            "spool volume " + volume.filename().string() + " cannot be used (its index is damaged) and ";
        const auto error = settled ? damaged_.move_here(volume) : std::error_code();
        report_(what + (settled && !error ? "was set aside in " + aside : "stays in " + dir_.string()) +
                    "; the mail in it is not delivered",
                true);
    }
    remove_earlier_remains(dir_);
}

/// What was delivered and, when the process ended, only noted.
void Spool::settle_notes() {
    Changes changes;
    for (const MessageId id : holdings_->index.noted()) {
        auto loaded = load(id);
        if (!loaded || !loaded->stored) continue;
        changes.push_back(Numbered{0, to_write_down(loaded->stored->message, std::move(loaded->progress))});
    }
    if (changes.empty()) return;
    // Where it cannot be written they stay noted.
    if (const auto wrote = write({}, changes); wrote.changes && !short_of_room(wrote.changes))
        unusable(dir_, wrote.changes);
}

/// Content files that no record names: of messages that were never accepted, or of records that are lost.
/// False when some that may be needed could not be moved to damaged/.
bool Spool::remove_orphans(bool lost) {
    bool out = true;
    const auto names = disk_.names(contents_);
    if (!names) unusable(contents_, names.error());
    for (const auto& name : *names) {
        const auto id = MessageId::parse(name);
        if (id && holdings_->index.contains(*id)) continue;
        if (!lost)
            disk_.remove(contents_ / name);
        else if (auto error = damaged_.move_here(contents_ / name); error) {
            out = false;
            report_((contents_ / name).string() +
                        " may belong to a message that is lost, and cannot be moved to " +
                        damaged_.path().string() + ": " + error.message(),
                    false);
        }
    }
    return out;
}

}  // namespace postern::relay
