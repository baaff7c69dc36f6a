#include "relay/queue/upkeep.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "relay/queue/journal_scan.h"
#include "relay/queue/record.h"
#include "sync/base/file_fault.h"
#include "sync/base/thread_name.h"

namespace postern::relay {

namespace {

constexpr std::chrono::seconds interval{1};
/// A segment is emptied when it is worth it: not more than a part of it is to be written again. Where there
/// is no room for another, more is worth it.
constexpr std::uint64_t usually_worth = 4, worth_at_need = 2;
constexpr std::size_t moved_at_once = 512 << 10;        // octets, between two commits
constexpr std::chrono::milliseconds pause_between{20};  // so that mail has the disk
constexpr std::chrono::minutes stubborn_for{10};
/// A checkpoint is written again when so much more was appended than it has octets itself.
constexpr std::uint64_t checkpoint_worth = 4;

}  // namespace

Upkeep::Upkeep(base::Disk& disk, const base::Clock& clock, Journal& journal, Holdings& holdings, Host host,
               const CheckpointStart& start, std::uint64_t size, std::set<std::uint32_t> pinned)
    : disk_(disk),
      clock_(clock),
      journal_(journal),
      holdings_(holdings),
      host_(std::move(host)),
      checkpoint_(start),
      checkpoint_size_(size),
      pinned_(std::move(pinned)) {}

Upkeep::~Upkeep() { stop(); }

void Upkeep::start() {
    thread_ = std::thread([this] { run(); });
}

void Upkeep::stop() {
    {
        std::lock_guard lock(mutex_);
        stopping_ = true;
        wake_.notify_one();
    }
    if (thread_.joinable()) thread_.join();
}

void Upkeep::wake() {
    std::lock_guard lock(mutex_);
    woken_ = true;
    wake_.notify_one();
}

/// False when it is to stop.
bool Upkeep::pause(std::chrono::milliseconds time) {
    std::unique_lock lock(mutex_);
    clock_.wait_until(wake_, lock, {}, clock_.now() + time, [this] { return stopping_; });
    return !stopping_;
}

void Upkeep::run() {
    base::name_thread("spool-upkeep");
    std::unique_lock lock(mutex_);
    for (auto next = clock_.now();; next = clock_.now() + interval) {
        // Where the disk gives no spare, to ask at once again is of no use.
        clock_.wait_until(wake_, lock, {}, next, [this] { return stopping_ || (woken_ && !without_room_); });
        if (stopping_) return;
        woken_ = false;
        lock.unlock();
        step();
        lock.lock();
    }
}

void Upkeep::step() {
    keep_spare();
    if (checkpoint_due()) write_checkpoint();
    remove_dead();
    for (auto segment = emptiest(); segment != 0 && pause({}); segment = emptiest()) {
        empty(journal_.segments().at(segment));
        remove_dead();
        // It would be gone through again and again, where the disk keeps it from going.
        if (journal_.has(segment)) stubborn_[segment] = clock_.now() + stubborn_for;
        if (checkpoint_due()) write_checkpoint();
    }
}

void Upkeep::keep_spare() {
    if (!journal_.has_spare()) {
        if (auto error = journal_.prepare_spare()) {
            if (!std::exchange(without_room_, true))
                host_.report("no more mail is taken, since the spool cannot get another " +
                                 std::to_string(journal_.segment_size() >> 20) +
                                 " MiB: " + base::file_fault(journal_.folder(), error),
                             true);
            return;
        }
    }
    if (std::exchange(without_room_, false)) host_.report("the spool has room again", false);
}

// ---- checkpoints

bool Upkeep::checkpoint_due() const {
    if (!pinned_.empty()) return false;
    const std::uint32_t active = journal_.active();
    if (checkpoint_.segment == 0 || checkpoint_size_ == 0) return journal_.segments().size() > 1;
    const std::uint64_t since = std::uint64_t{active - checkpoint_.segment} * journal_.segment_size();
    return active > checkpoint_.segment && since >= checkpoint_worth * checkpoint_size_;
}

void Upkeep::write_checkpoint() {
    if (!host_.make_durable()) return;
    CheckpointStart start;
    std::optional<CheckpointWriter> writer;
    host_.between_commits([&] {
        const std::lock_guard lock(holdings_.noting);
        {
            // A report that is written and could not be synced is no entry yet, and would be in front of
            // where the next start reads on.
            const std::shared_lock reading(holdings_.mutex);
            if (holdings_.coming > 0) return;
        }
        const Place place = journal_.position();
        start = {place.segment, place.offset(), journal_.next()};
        for (const auto& [number, segment] : journal_.segments()) start.marks[number] = segment.name.mark;
        writer.emplace(disk_, journal_.folder(), holdings_, start);
    });
    if (!writer) return;  // soon again
    for (;;) {
        const auto last = writer->step();
        if (!last) return without_checkpoint(last.error());
        if (*last) break;
    }
    if (!host_.make_durable()) return;
    const auto size = writer->finish();
    if (!size) {
        // It may have got its name all the same: the segments it begins with must not go then.
        if (checkpoint_.segment == 0 && drop_checkpoint(disk_, journal_.folder())) checkpoint_ = start;
        return without_checkpoint(size.error());
    }
    checkpoint_ = start;
    checkpoint_size_ = *size;
    without_checkpoint_ = false;
}

/// Segments behind the last one must stay, so none is better than an old one that keeps a full disk full.
void Upkeep::without_checkpoint(const std::error_code& error) {
    if (!std::exchange(without_checkpoint_, true))
        host_.report("the spool's index cannot be written down, so the next start takes longer: " +
                         base::file_fault(journal_.folder(), error),
                     false);
    if (!base::is_full(error) || checkpoint_.segment == 0) return;
    // Where that cannot be written either, room is worth more than that no id comes again.
    host_.between_commits([&] { repeat_notes(); });
    host_.make_durable();
    if (drop_checkpoint(disk_, journal_.folder())) return;
    checkpoint_ = {};
    checkpoint_size_ = 0;
}

void Upkeep::last_checkpoint() {
    if (pinned_.empty()) write_checkpoint();
}

// ---- segments that are needed no more

bool Upkeep::dead(std::uint32_t segment, const std::map<std::uint32_t, Segment>& there) const {
    std::shared_lock lock(holdings_.mutex);
    return holdings_.index.live(segment) == 0 && holdings_.graves.needed(segment, there) == 0;
}

bool Upkeep::removable(std::uint32_t segment) const {
    const bool behind = checkpoint_.segment == 0 || segment < checkpoint_.segment;
    return segment < journal_.active() && behind && !pinned_.contains(segment);
}

void Upkeep::remove_dead() {
    for (;;) {
        auto there = journal_.segments();
        std::vector<std::uint32_t> found;
        for (const auto& [number, segment] : there)
            if (removable(number) && dead(number, there)) found.push_back(number);
        if (found.empty()) return;
        // What was appended to them is entered, and what says that nothing of them is needed is on the disk.
        std::error_code error;
        host_.between_commits([&] { error = repeat_notes(); });
        if (error || !host_.make_durable()) return;
        for (const std::uint32_t number : found) {
            // One after the other: each may have been what another's graves were needed for.
            if (!dead(number, journal_.segments())) continue;
            if (journal_.remove(number)) return;
            std::unique_lock lock(holdings_.mutex);
            holdings_.graves.forget(number);
            holdings_.emptied.erase(number);
        }
    }
}

/// Notes are not counted as something that lives: those that are still needed are written once more. With the
/// greatest id, since the records that tell it may go, and a checkpoint may be lost: it is never given again.
std::error_code Upkeep::repeat_notes() {
    const std::lock_guard noting(holdings_.noting);
    std::vector<std::string> bodies;
    std::vector<MessageId> ids;
    {
        std::shared_lock lock(holdings_.mutex);
        ids = holdings_.index.noted();
        for (const MessageId id : ids) {
            const auto& recipients = *holdings_.index.delivered(id);
            bodies.push_back(encode_delivered({recipients.begin(), recipients.end()}));
        }
        if (const MessageId id = holdings_.last_id; id != MessageId{} && !holdings_.index.contains(id)) {
            ids.push_back(id);
            bodies.push_back(encode_delivered({}));
        }
    }
    std::vector<Draft> drafts;
    for (std::size_t at = 0; at < ids.size(); ++at)
        drafts.emplace_back(RecordHeader::Kind::delivered, ids[at], bodies[at]);
    if (drafts.empty()) return {};
    const auto places = journal_.append(drafts);
    return places ? std::error_code() : places.error();
}

// ---- segments of which little is needed

/// 0: there is none that is worth it.
std::uint32_t Upkeep::emptiest() const {
    constexpr std::uint64_t grave = record_header_size + 2 * sizeof(std::uint32_t);
    const auto there = journal_.segments();
    const auto now = clock_.now();
    std::uint32_t out = 0;
    std::uint64_t least = 0;
    std::shared_lock lock(holdings_.mutex);
    for (const auto& [number, segment] : there) {
        if (!removable(number)) continue;
        if (const auto stubborn = stubborn_.find(number);
            stubborn != stubborn_.end() && stubborn->second > now)
            continue;
        const std::uint64_t live =
            holdings_.index.live(number) + grave * holdings_.graves.needed(number, there);
        if (live > segment.size / (without_room_ ? worth_at_need : usually_worth)) continue;
        if (out != 0 && live >= least) continue;
        out = number;
        least = live;
    }
    return out;
}

bool Upkeep::needed(const RecordHeader& header, const Place& place, std::string_view body,
                    const std::map<std::uint32_t, Segment>& there) const {
    using Kind = RecordHeader::Kind;
    if (header.kind == Kind::delivered) return false;  // see repeat_notes()
    // Of a message that is there it is half of what a crash tore: a copy would count by itself.
    if (header.kind == Kind::done)
        return !holdings_.index.contains(header.id) &&
               GraveLedger::needed(place.segment, decode_graves(body).value_or(Graves{}), there);
    const auto entry = holdings_.index.find(header.id);
    return entry && place == (header.kind == Kind::message ? entry->message : entry->progress);
}

void Upkeep::empty(const Segment& segment) {
    const std::uint32_t number = segment.name.number;
    const auto give_up = [&] { stubborn_[number] = clock_.now() + stubborn_for; };
    // Of a group that is not on the disk a half must not be copied: it would count without the other.
    if (!host_.make_durable()) return give_up();
    const auto file = journal_.open(segment);
    if (!file) return give_up();
    JournalScan scan(**file, segment.name, 0, segment.size);
    // Only this thread takes some away, and those that are begun meanwhile have no grave here.
    const auto there = journal_.segments();
    std::vector<Moving> records;
    std::size_t octets = 0;
    bool whole = true;  // what is there is known, as far as headers tell
    for (;;) {
        const auto step = scan.next();
        if (!step) return give_up();
        const bool end = !*step;
        if (!end) {
            const Scanned& found = **step;
            std::string widest;
            std::string_view body = found.body;
            bool proven = found.what == Scanned::What::record;
            if (found.what == Scanned::What::damaged && found.header.kind == RecordHeader::Kind::done) {
                body = widest = encode_graves(widest_graves(found.place));
                proven = true;
            }
            whole = whole && (proven || found.what == Scanned::What::damaged);
            std::shared_lock lock(holdings_.mutex);
            if (proven && needed(found.header, found.place, body, there)) {
                records.push_back({found.header, found.place, std::string(body)});
                octets += found.place.length;
            }
        }
        if (octets >= moved_at_once || (end && !records.empty())) {
            std::error_code error;
            host_.between_commits([&] { error = move(records); });
            if (error) return give_up();
            records.clear();
            octets = 0;
            keep_spare();
            if (!pause(pause_between)) return;
        }
        if (end) break;
    }
    if (whole) {  // each that is needed lies elsewhere now
        std::unique_lock lock(holdings_.mutex);
        holdings_.graves.forget(number);
    }
    // What is left cannot be read: whoever wants it will see.
    if (!dead(number, journal_.segments())) give_up();
}

/// Between two commits: what is still needed of them lies at the end of the journal afterwards.
std::error_code Upkeep::move(std::vector<Moving>& records) {
    std::vector<Draft> drafts;
    const auto there = journal_.segments();
    std::erase_if(records, [&](const Moving& one) { return !needed(one.header, one.from, one.body, there); });
    for (const auto& one : records) {
        Draft draft(one.header.kind, one.header.id, one.body);
        draft.header.fresh = one.header.fresh;
        draft.header.copy = true;
        drafts.push_back(draft);
    }
    if (drafts.empty()) return {};
    const auto places = journal_.append(drafts);
    std::unique_lock lock(holdings_.mutex);
    if (!places) {
        holdings_.copied_in_vain = journal_.active();
        return places.error();
    }
    for (std::size_t at = 0; at < records.size(); ++at) {
        const Moving& one = records[at];
        switch (one.header.kind) {
            case RecordHeader::Kind::message:
                holdings_.emptied.insert(one.from.segment);
                holdings_.index.move_message(one.header.id, (*places)[at]);
                break;
            case RecordHeader::Kind::progress:
                holdings_.index.move_progress(one.header.id, (*places)[at]);
                break;
            case RecordHeader::Kind::done:
                holdings_.graves.add((*places)[at].segment, *decode_graves(one.body));
                holdings_.graves.remove(one.from.segment, *decode_graves(one.body));
                break;
            case RecordHeader::Kind::delivered: break;
        }
    }
    return {};
}

}  // namespace postern::relay
