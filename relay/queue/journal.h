// The journal's segments: where records are appended, made durable, and read back. It does not know what they
// mean; that is for the index.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <filesystem>
#include <map>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

#include <tl/expected.hpp>

#include "relay/queue/content.h"
#include "relay/queue/journal_record.h"
#include "sync/base/disk.h"

namespace postern::relay {

/// A record to be appended: its texts are not copied. length, sum, sequence and durable are the journal's to
/// set, the sum from those of the two texts.
struct Draft {
    RecordHeader header;
    std::array<std::string_view, 2> body{};
    std::array<std::uint32_t, 2> sums{};

    Draft(RecordHeader::Kind kind, MessageId id, std::string_view text);
    /// `second_sum`: of the second text, as whoever made it knows it.
    Draft(RecordHeader::Kind kind, MessageId id, std::string_view text, std::string_view second,
          std::uint32_t second_sum);
};

/// Segments are filled one after the other, and not rewritten but for the header of a record that is taken
/// back. One that is needed is there beforehand, its space taken: what becomes of mail can be written down on
/// a full disk. One thing: the next place, what each segment holds and what is durable follow from each
/// other.
class Journal {
public:
    /// Looks which segments there are. Throws std::filesystem::filesystem_error when that cannot be seen, and
    /// std::runtime_error in words when they are not what a gateway left.
    Journal(base::Disk& disk, std::filesystem::path folder, std::uint64_t segment_size);

    // Before anything is appended; one thread.
    /// Goes on behind the last record that was found; where there is none, at the beginning. `durable`: what
    /// has a smaller sequence is on the disk.
    std::error_code resume(std::uint32_t segment, std::uint64_t position, std::uint64_t sequence,
                           std::uint64_t durable);

    /// Segments that are begun have greater numbers than this.
    void begin_behind(std::uint32_t segment) { last_number_ = std::max(last_number_, segment); }

    // Any thread.
    /// One write for all of them, and one more for each segment that is begun. Gives their places, and has
    /// set their headers; after an error none of them counts.
    tl::expected<std::vector<Place>, std::error_code> append(std::span<Draft> drafts);
    /// They do not count. For what nobody was told of: after a sync that failed, and at a start. Where that
    /// cannot be written nothing becomes durable before it is: else they would count for who reads them
    /// later.
    void take_back(std::span<const Place> places);
    /// What is missing there never counts, since nobody found it at a start: those with a sequence up to
    /// `last`, as far as they were not durable then. It is missed no more when the next sync returned.
    std::error_code give_up(const Place& gap, std::uint64_t last, std::uint64_t durable);
    /// The next record's sequence.
    std::uint64_t next() const;
    /// What has a smaller sequence is on the disk.
    std::uint64_t durable() const;
    /// Where the next record lies, if nothing is appended meanwhile.
    Place position() const;

    /// Proven, or not given. Where the record is not there any more this may say that it is damaged: the
    /// place must be looked up again.
    struct Record {
        RecordHeader header;
        std::string body;
    };
    tl::expected<Record, ContentFault> read(const Place& place) const;
    /// No more of the body than `most` octets, and what is given is not proven by the record's sum.
    tl::expected<Record, ContentFault> read_beginning(const Place& place, std::size_t most) const;
    /// The octets as they are there, for whoever looks at damage.
    tl::expected<std::string, ContentFault> raw(std::uint32_t segment, std::uint64_t at,
                                                std::size_t size) const;
    std::map<std::uint32_t, Segment> segments() const;
    bool has(std::uint32_t segment) const;
    std::uint32_t active() const;
    tl::expected<base::DiskFilePtr, std::error_code> open(const Segment& segment) const;
    std::uint64_t segment_size() const { return segment_size_; }
    const std::filesystem::path& folder() const { return folder_; }

    /// Whether a segment is ready for when this one is full.
    bool has_spare() const;
    std::error_code prepare_spare();

    // One thread at a time each.
    /// Makes durable what was appended before. An error is final for it.
    std::error_code sync();
    /// The last error was one of what was written: the kernel may have dropped it, and nothing becomes
    /// durable any more, whatever the error is called (also ENOSPC, of a disk that promised more than it
    /// had).
    bool sync_failed() const;
    /// Nothing in it is needed any more, and what says so is durable. Its space is kept for another.
    std::error_code remove(std::uint32_t segment);

private:
    struct Active {
        SegmentName name;
        base::DiskFilePtr file;
        std::uint64_t size = 0, position = 0;
        std::uint64_t written = 0;  // up to here its space has been written to before: see append()
        bool dirty = false;
    };
    struct Spare {
        std::string file_name;
        std::uint64_t written = 0;
    };

    struct Undo {
        std::uint32_t segment;
        std::uint64_t from, to;  // octets; `to` is 0 for a record
        std::string header;      // what the record's becomes, as far as that is known
    };

    std::optional<Spare> take_spare();
    std::error_code begin_segment(std::uint64_t least);
    std::error_code write(std::vector<std::string_view>& pieces, std::uint64_t size);
    tl::expected<base::DiskFilePtr, std::error_code> reopen(std::uint32_t segment);
    void undo(const Place& place);
    void undo(std::uint32_t segment, std::uint64_t from, std::uint64_t to);
    std::error_code erase(std::uint32_t segment, std::uint64_t from, std::uint64_t to);
    std::error_code make_void(Undo& one);
    std::error_code undo_rest();
    tl::expected<base::DiskFilePtr, ContentFault> reader(std::uint32_t segment, std::uint64_t& mark) const;
    std::optional<Segment> find(std::uint32_t segment) const;
    tl::expected<Record, ContentFault> read_some(const Place& place, std::size_t most, bool whole) const;

    base::Disk& disk_;
    const std::filesystem::path folder_;
    const std::uint64_t segment_size_;

    mutable std::mutex mutex_;  // of who appends, while it is written; not while it is synced
    Active active_;
    std::uint64_t next_ = 1, durable_ = 1;
    struct Resumed {
        std::uint64_t durable;
        std::uint64_t written;  // and all up to here, by this process
    };
    std::optional<Resumed> resumed_;  // the next record is a first one
    std::vector<Undo> undone_;        // what counts, and should not, since it could not be written to
    std::vector<base::DiskFilePtr> unsynced_;  // former active ones
    bool names_unsynced_ = false;
    std::error_code sync_fault_;  // no other is tried
    std::uint32_t last_number_ = 0;

    mutable std::mutex table_mutex_;  // of readers too, who must not wait for a disk
    std::map<std::uint32_t, Segment> segments_;
    std::vector<Spare> spares_;
    std::uint32_t spares_made_ = 0;

    mutable std::mutex readers_mutex_;
    struct Reader {
        std::uint64_t mark;
        base::DiskFilePtr file;
    };
    mutable std::vector<Reader> readers_;  // the last one used in front
};

}  // namespace postern::relay
