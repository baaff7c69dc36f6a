// What a start finds of the spool: losses told and set aside, what an earlier version left taken over.
#include <algorithm>
#include <array>
#include <set>
#include <span>
#include <stdexcept>
#include <utility>

#include "relay/queue/earlier_spool.h"
#include "relay/queue/journal.h"
#include "relay/queue/recovery.h"
#include "relay/queue/spool.h"
#include "relay/queue/upkeep.h"
#include "sync/base/file_fault.h"

namespace postern::relay {

namespace {

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

/// A damaged `done` counts, but nobody can tell how long it must: one that tells is written in its place.
std::error_code repeat_end(Journal& journal, Holdings& holdings, const Loss& loss) {
    const Graves graves = widest_graves(loss.place);
    const std::string body = encode_graves(graves);
    Draft draft(RecordHeader::Kind::done, loss.header.id, body);
    draft.header.copy = true;
    const auto places = journal.append(std::span(&draft, 1));
    if (!places) return places.error();
    holdings.graves.add(places->front().segment, graves);
    holdings.graves.remove(loss.place.segment, graves);
    return {};
}

/// What a crash tore has been told, and never counts: whoever goes through all segments later, when that
/// which shows it may be gone, does not take it for damage.
std::error_code give_up(Journal& journal, const Loss& loss) {
    if (loss.what != Scanned::What::damaged)
        return journal.give_up(loss.place, loss.sequence + std::max<std::uint64_t>(loss.records, 1) - 1,
                               loss.durable);
    journal.take_back(std::span(&loss.place, 1));
    return {};
}

/// Whether anything is gone that had been on the disk.
bool lost_any(const Recovered& recovered) {
    const auto torn = [](const auto& one) { return one.torn; };
    return !recovered.missing.empty() ||
           !std::all_of(recovered.absent.begin(), recovered.absent.end(), torn) ||
           !std::all_of(recovered.losses.begin(), recovered.losses.end(), torn);
}

/// What was delivered of it, and only noted.
void add_noted(EarlierMessage& one, const EarlierDeliveries& delivered) {
    const auto noted = delivered.find(one.message.id);
    if (noted == delivered.end()) return;
    if (!one.progress) one.progress.emplace(one.message.envelope.forward_paths.size());
    for (const std::uint16_t at : noted->second)
        if (at < one.progress->size()) (*one.progress)[at].status = RecipientStatus::delivered;
}

}  // namespace

/// What a version before the journal kept.
struct Spool::Earlier {
    EarlierDeliveries delivered;
    std::uint64_t taken = 0;                                                // messages
    std::vector<std::filesystem::path> damaged;                             // not read
    std::vector<std::pair<std::filesystem::path, std::size_t>> incomplete;  // and how many are unreadable
};

void Spool::open() {
    const Recovered recovered = recover_journal();
    reader_.emplace(*holdings_, *journal_, disk_, contents_);
    last_id_ = holdings_->last_id.value;
    if (!recovered.checkpoint_fault.empty())
        report_("the spool's index " + recovered.checkpoint_fault + "; it was made anew from the mail",
                false);
    tell_missing(recovered);
    auto pinned = settle_losses(recovered);
    const bool lost = lost_any(recovered);
    // Where anything is wrong the next start should not find it again.
    begin_upkeep(recovered, !recovered.losses.empty() || lost, std::move(pinned));
    const Earlier earlier = take_earlier();
    settle_notes();
    // So that the first message finds all of it, names too, on the disk. And what did not count never does
    // from now on: its content may go.
    if (auto error = sync()) unusable(dir_, error);
    const bool spoilt = !earlier.damaged.empty() || !earlier.incomplete.empty();
    const bool unreadable =
        std::any_of(recovered.losses.begin(), recovered.losses.end(),
                    [](const Loss& loss) { return loss.what == Scanned::What::unreadable; });
    const bool settled = !unreadable && remove_orphans(lost || spoilt);
    // Behind the contents that may belong to them: those would be taken for orphans once they are gone.
    finish_earlier(earlier, settled);
    if (!journal_->has_spare())
        if (auto error = journal_->prepare_spare(); error && !short_of_room(error)) unusable(dir_, error);
}

Recovered Spool::recover_journal() {
    try {
        journal_ = std::make_unique<Journal>(disk_, dir_, options_.segment_size);
    } catch (const std::filesystem::filesystem_error& fault) {
        unusable(fault.path1(), fault.code());
    }
    auto recovered = recover(disk_, *journal_, *holdings_);
    if (!recovered && base::is_full(recovered.error()))
        throw std::runtime_error("state_dir: the spool needs " + std::to_string(options_.segment_size >> 20) +
                                 " MiB at once for its next file (queue.volume_size): " +
                                 base::file_fault(dir_, recovered.error()));
    if (!recovered) unusable(dir_, recovered.error());
    // One that was not used must not be found again when segments behind it are gone.
    if (recovered->checkpoint.segment == 0)
        if (auto error = drop_checkpoint(disk_, dir_)) unusable(dir_, error);
    return std::move(*recovered);
}

/// Gives the segments in which something has to stay as it is, since it could not be copied.
std::set<std::uint32_t> Spool::settle_losses(const Recovered& recovered) {
    std::set<std::uint32_t> pinned;
    for (const auto& loss : recovered.losses) {
        if (keep(loss) || loss.torn)
            settle_loss(loss);
        else
            pinned.insert(loss.place.segment);
    }
    return pinned;
}

void Spool::settle_loss(const Loss& loss) {
    const bool end = loss.what == Scanned::What::damaged && loss.header.id != MessageId{} &&
                     loss.header.kind == RecordHeader::Kind::done &&
                     !holdings_->index.contains(loss.header.id);
    if (const auto error = end ? repeat_end(*journal_, *holdings_, loss) : std::error_code()) {
        if (!short_of_room(error)) unusable(dir_, error);
    } else if (const auto failed = loss.torn ? give_up(*journal_, loss) : std::error_code()) {
        unusable(dir_, failed);
    }
}

/// `anew`: the checkpoint is to be written again soon.
void Spool::begin_upkeep(const Recovered& recovered, bool anew, std::set<std::uint32_t> pinned) {
    CheckpointStart checkpoint = recovered.checkpoint;
    // What is neither read nor copied must be found again: it is behind no checkpoint then. How far the
    // sequence had come is said by a record instead.
    if (!pinned.empty()) {
        Draft draft(RecordHeader::Kind::delivered, MessageId{}, {});
        const bool said = journal_->append(std::span(&draft, 1)) && !journal_->sync();
        if (said && !drop_checkpoint(disk_, dir_)) checkpoint = {};
    }
    upkeep_ = std::make_unique<Upkeep>(
        disk_, clock_, *journal_, *holdings_,
        Upkeep::Host{[this](const std::function<void()>& work) { between_commits(work); },
                     [this] { return make_durable(); }, report_},
        checkpoint, anew ? 0 : recovered.checkpoint_size, std::move(pinned));
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
        if (absent.torn) continue;  // the names of files come to the disk in any order
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

/// Until a volume is gone this can be done again from its beginning.
Spool::Earlier Spool::take_earlier() {
    Earlier out;
    const auto volumes = earlier_volumes(dir_);
    if (!volumes) unusable(dir_, volumes.error());
    if (volumes->empty()) return out;
    auto delivered = earlier_deliveries(dir_);
    if (!delivered) unusable(dir_, delivered.error());
    out.delivered = std::move(*delivered);
    for (const auto& volume : *volumes) {
        const auto sound = earlier_volume_sound(volume);
        if (!sound) unusable(volume, sound.error());
        if (*sound)
            take_volume(volume, out);
        else
            out.damaged.push_back(volume);
    }
    if (auto error = disk_.sync_folder(dir_)) unusable(dir_, error);
    report_(
        "the mail of an earlier version's spool was taken over: " + std::to_string(out.taken) + " messages",
        false);
    return out;
}

/// All of it that can be read; it goes when that is all.
void Spool::take_volume(const std::filesystem::path& volume, Earlier& earlier) {
    constexpr std::size_t at_once = 200;
    std::vector<StoredPtr> messages;
    Changes changes;
    const auto flush = [&] {
        const auto wrote = write(messages, {});
        const auto error = wrote.accepted ? wrote.accepted : write({}, changes).changes;
        if (error) unusable(dir_, error);
        messages.clear();
        changes.clear();
    };
    std::size_t unreadable = 0;
    try {
        unreadable = read_earlier_volume(volume, [&](EarlierMessage one) {
            ++earlier.taken;
            last_id_ = std::max(last_id_.load(), one.message.id.value);
            if (!one.message.content.file.empty())
                one.message.content.file = contents_ / one.message.content.file;
            add_noted(one, earlier.delivered);
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
        earlier.incomplete.emplace_back(volume, unreadable);
    else if (auto failed = disk_.remove(volume))
        unusable(volume, failed);  // it would all be taken again
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
