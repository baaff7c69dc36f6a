#include "relay/queue/recovery.h"

#include <algorithm>
#include <array>
#include <optional>
#include <set>
#include <vector>

#include "relay/queue/journal_scan.h"
#include "relay/queue/octets.h"
#include "relay/queue/replay.h"

namespace postern::relay {

namespace {

/// What sizes of segments are multiples of, as a rule.
constexpr std::uint64_t usual_step = 1 << 20;

class Recovery {
public:
    Recovery(base::Disk& disk, const JournalFiles& files, Holdings& holdings)
        : disk_(disk), files_(files), holdings_(holdings), replay_(holdings) {}

    /// `from_checkpoint`: as far as there is one, else all segments. `settle`: what is found is durable then.
    tl::expected<Recovered, std::error_code> run(bool from_checkpoint, bool settle) {
        settle_ = settle;
        const auto found = from_checkpoint ? read_checkpoint(disk_, files_.folder, files_.segments, holdings_,
                                                             out_.checkpoint_fault)
                                           : std::nullopt;
        if (found) {
            out_.checkpoint = found->start;
            out_.checkpoint_size = found->size;
            next_ = durable_ = found->start.sequence;
        }
        for (const auto& [number, segment] : files_.segments) {
            if (number < out_.checkpoint.segment) continue;
            if (auto error = scan(segment)) return tl::make_unexpected(error);
        }
        if (cut_) {
            spoilt_ = last_.name.number;
            out_.losses.push_back(*cut_);
        }
        replay_.end(durable_);
        judge(durable_);
        find_missing();
        return out_;
    }

    std::error_code resume(Journal& journal) {
        journal.begin_behind(last_needed_);
        const bool clean = last_.name.number != 0 && spoilt_ != last_.name.number;
        const auto error = journal.resume(clean ? last_.name.number : 0, position_,
                                          std::max<std::uint64_t>(1, next_ + unread_), durable_);
        if (!error) journal.take_back(halves());
        return error;
    }

private:
    /// A segment, as far as it was gone through.
    struct Passage {
        const Segment& segment;
        bool at_checkpoint = false;  // it is read from there on
        bool follows = true;         // the one in front of it was read, or is not needed
        bool begun = false;          // a record was found
        std::optional<Loss> open{};  // until the next record tells how many are missing
    };

    std::error_code scan(const Segment& segment) {
        const auto file = disk_.open(files_.folder / segment.name.text(), base::Disk::Access::read);
        if (!file) return file.error();
        cut_.reset();
        const bool at_checkpoint = segment.name.number == out_.checkpoint.segment;
        Passage passage{.segment = segment,
                        .at_checkpoint = at_checkpoint,
                        .follows = at_checkpoint || segment.name.number == known_ + 1};
        JournalScan scan(**file, segment.name, at_checkpoint ? out_.checkpoint.position : 0, segment.size);
        for (;;) {
            const auto step = scan.next();
            if (!step) return step.error();
            if (!*step) break;
            pass(passage, **step);
        }
        end(passage);
        position_ = scan.position();
        // What the process before appended is written, but may not be on the disk yet.
        if (settle_)
            if (auto error = (*file)->sync()) return error;
        return cut_short(**file);
    }

    void pass(Passage& passage, const Scanned& found) {
        const RecordHeader& header = found.header;
        if (found.what == Scanned::What::gap ||
            (found.what == Scanned::What::unreadable && header.sequence == 0)) {
            passage.open = Loss{found.what, found.place, {}};
            return;
        }
        // Left there by a write that failed, in whose place others were written since: not all of those
        // came to the disk when the machine stopped.
        if (header.sequence < next_ && !header.first) {
            spoilt_ = passage.segment.name.number;
            return;
        }
        if (!passage.begun) lose_in_front(passage, header);
        one_group_ = found.place.unit == 0 || (one_group_ && !passage.open && header.follows);
        if (passage.open) lose(*passage.open, expected(passage), header.sequence);
        passage.open.reset();
        passage.begun = true;
        take(found);
    }

    void end(const Passage& passage) {
        if (passage.open && passage.open->what == Scanned::What::unreadable) {
            lose(*passage.open, expected(passage), expected(passage));
            unread_ += passage.open->place.length / record_header_size + 1;
        }
        last_ = passage.segment;
        if (passage.begun || passage.follows) known_ = last_.name.number;
    }

    /// The sequence that is next in it; 0 when nobody knows.
    std::uint64_t expected(const Passage& passage) const {
        return passage.begun || passage.follows ? next_ : 0;
    }

    void take(const Scanned& found) {
        const RecordHeader& header = found.header;
        if (header.first) judge(std::max(durable_, header.durable));
        next_ = header.sequence + 1;
        unread_ = 0;
        durable_ = std::max(durable_, header.durable);
        ++out_.records;
        if (found.what == Scanned::What::record) {
            replay_.record(header, found.place, found.body);
            return;
        }
        replay_.header(header, found.place);
        out_.losses.push_back(Loss{found.what, found.place, header, 1, header.sequence});
        spoilt_ = found.place.segment;
    }

    /// What is missing in front of the first record of a segment.
    void lose_in_front(const Passage& passage, const RecordHeader& begin) {
        if (passage.follows) {
            if (!passage.open && !passage.at_checkpoint && last_.name.number != 0) lose_end(begin);
            return;
        }
        // Only segments before a checkpoint's beginning are ever removed: without one nobody knows which
        // were. And numbers may be left out, with no record between.
        if (out_.checkpoint.segment == 0 || missed_before(begin) <= next_) return;
        const std::uint32_t before = known_ != 0 ? known_ + 1 : out_.checkpoint.segment;
        out_.absent.push_back({before, passage.segment.name.number - 1, missed_before(begin) - next_, next_});
    }

    /// That did not count, and never will: not where the others may be what cannot be read now.
    std::vector<Place> halves() const {
        std::set<std::uint32_t> unreadable;
        for (const Loss& loss : out_.losses)
            if (loss.what == Scanned::What::unreadable) unreadable.insert(loss.place.segment);
        auto out = replay_.dropped();
        std::erase_if(out, [&](const Place& one) { return unreadable.contains(one.segment); });
        return out;
    }

    /// What the last segment that was gone through lacks at its end: it was longer.
    std::error_code cut_short(const base::DiskFile& file) {
        if (last_.size >= files_.segment_size) return {};
        std::string octets(record_header_size, '\0');
        const auto got = file.read(position_, octets.data(), octets.size());
        if (!got && got.error() != std::errc::io_error) return got.error();
        const std::uint64_t end = std::min(position_, last_.size);
        const auto unit = static_cast<std::uint32_t>(end / record_alignment);
        const auto header =
            got ? decode_header(std::string_view(octets).substr(0, *got), last_.name.mark, unit)
                : std::nullopt;
        if (!header) {
            // It is of the size that segments had before, or was made for one group of records, or its space
            // was just being taken. Where it was cut between two records, and others follow, their sequence
            // tells.
            std::array<char, sizeof last_.name.mark> mark;
            put_number(mark.data(), last_.name.mark);
            const std::size_t left = got ? std::min(*got, mark.size()) : 0;
            const bool begun = left > 0 && std::equal(mark.begin(), mark.begin() + left, octets.begin());
            const bool full = position_ == last_.size && last_.size % usual_step != 0 && !one_group_;
            if (position_ != 0 && position_ + record_header_size > last_.size && (begun || full))
                cut_ = Loss{Scanned::What::gap,
                            {last_.name.number, unit, static_cast<std::uint32_t>(files_.segment_size - end)},
                            {},
                            0,
                            next_};
            return {};
        }
        const Loss loss{
            Scanned::What::damaged,
            {last_.name.number, unit, static_cast<std::uint32_t>(record_header_size) + header->length},
            *header,
            1,
            header->sequence};
        replay_.header(*header, loss.place);
        next_ = header->sequence + 1;
        spoilt_ = last_.name.number;
        out_.losses.push_back(loss);
        return {};
    }

    /// What is missing was in the place of what is found: that was left by a write that failed, and the
    /// others were written over it, but only their end came to the disk. Damage leaves room for a record; a
    /// segment that was cut may leave none.
    bool without_room(const Loss& loss) const {
        const std::uint64_t size = files_.segments.at(loss.place.segment).size;
        return loss.what == Scanned::What::gap && loss.place.length < record_header_size &&
               (loss.place.end() < size || size >= files_.segment_size);
    }

    void lose(Loss loss, std::uint64_t expected, std::uint64_t sequence) {
        spoilt_ = loss.place.segment;
        // Space that was taken back before anything was written behind it.
        if (expected != 0 && expected == sequence && loss.what == Scanned::What::gap) return;
        if (without_room(loss)) return;
        loss.records = expected == 0 ? 0 : sequence - expected;
        loss.sequence = expected == 0 ? std::max<std::uint64_t>(1, sequence - 1) : expected;
        out_.losses.push_back(loss);
    }

    /// Which of what is missing was on the disk when the process ended that wrote it.
    void judge(std::uint64_t durable) {
        for (; judged_absent_ < out_.absent.size(); ++judged_absent_)
            out_.absent[judged_absent_].torn = out_.absent[judged_absent_].sequence >= durable;
        for (; judged_ < out_.losses.size(); ++judged_) {
            Loss& loss = out_.losses[judged_];
            // A segment has its whole size before anything is written to it.
            const bool cut = loss.place.end() > files_.segments.at(loss.place.segment).size;
            loss.torn = loss.what != Scanned::What::unreadable && loss.sequence >= durable && !cut;
            loss.durable = durable;
        }
    }

    /// Sequences up to this one are missed where a segment begins with that record: of what is in front of a
    /// first one what had been durable, others may have been left out.
    std::uint64_t missed_before(const RecordHeader& begin) const {
        return begin.first ? std::min(begin.sequence, std::max(durable_, begin.durable)) : begin.sequence;
    }

    /// The next segment may begin later than the last one ended.
    void lose_end(const RecordHeader& next) {
        const std::uint64_t sequence = missed_before(next);
        if (sequence <= next_) return;
        const std::uint64_t octets = last_.size - std::min(last_.size, position_);
        Loss loss{Scanned::What::gap,
                  {last_.name.number, static_cast<std::uint32_t>(position_ / record_alignment),
                   static_cast<std::uint32_t>(octets)},
                  {}};
        lose(loss, next_, sequence);
    }

    void find_missing() {
        const auto& there = files_.segments;
        std::set<std::uint32_t> gone;
        std::uint32_t last = out_.checkpoint.segment;
        for (const auto& [segment, octets] : holdings_.index.live()) {
            if (!there.contains(segment)) gone.insert(segment);
            last = std::max(last, segment);
        }
        last_needed_ = last;
        std::erase_if(holdings_.emptied, [&](std::uint32_t one) { return !there.contains(one); });
        const auto buried = holdings_.graves.by_segment();
        for (const auto& [segment, graves] : buried)
            if (!there.contains(segment)) holdings_.graves.forget(segment);
        if (gone.empty()) return;
        for (MessageId after;;) {
            const auto ids = holdings_.index.messages(after, 1000);
            for (const MessageId id : ids)
                if (gone.contains(holdings_.index.find(id)->message.segment)) out_.missing.push_back(id);
            if (ids.empty()) break;
            after = ids.back();
        }
        for (const MessageId id : out_.missing) holdings_.index.erase(id);
    }

    base::Disk& disk_;
    const JournalFiles& files_;
    Holdings& holdings_;
    bool settle_ = false;
    Replay replay_;
    Recovered out_;
    std::uint64_t next_ = 0, durable_ = 0;
    Segment last_;
    std::uint32_t known_ = 0;  // the last one at whose end it is known what is next, unlike behind a hole
    std::uint64_t position_ = 0;
    bool one_group_ = false;    // what the last segment holds, which may have been made for it
    std::uint64_t unread_ = 0;  // sequences that may be used behind the last record
    std::size_t judged_ = 0, judged_absent_ = 0;
    std::uint32_t last_needed_ = 0;
    std::optional<Loss> cut_;   // of the last segment, at its end
    std::uint32_t spoilt_ = 0;  // the last segment in which something is wrong
};

}  // namespace

tl::expected<Recovered, std::error_code> recover(base::Disk& disk, Journal& journal, Holdings& holdings) {
    const JournalFiles files{journal.folder(), journal.segments(), journal.segment_size()};
    Recovery recovery(disk, files, holdings);
    auto out = recovery.run(true, true);
    if (out)
        if (auto error = recovery.resume(journal)) return tl::make_unexpected(error);
    return out;
}

tl::expected<Recovered, std::error_code> look_through(base::Disk& disk, const JournalFiles& files,
                                                      Holdings& holdings, bool from_checkpoint) {
    return Recovery(disk, files, holdings).run(from_checkpoint, false);
}

}  // namespace postern::relay
