// Goes through a segment record by record, past whatever does not prove itself.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>

#include <tl/expected.hpp>

#include "relay/queue/journal_record.h"
#include "sync/base/disk.h"

namespace postern::relay {

struct Scanned {
    enum class What : std::uint8_t {
        record,      // proven
        damaged,     // a proven header whose body is not what it says
        gap,         // octets between records that are none
        unreadable,  // the disk does not give them now, which says nothing about them
    };
    What what = What::record;
    Place place;
    RecordHeader header;    // of a record and a damaged one; of an unreadable one where it is known, else its
                            // sequence is 0
    std::string_view body;  // of a record; until the next step
};

/// One thread. What it keeps in memory is a piece of the file, or one record where that is larger.
class JournalScan {
public:
    /// Of the octets in [`from`, `end`), where `from` is the place of a record.
    JournalScan(const base::DiskFile& file, const SegmentName& name, std::uint64_t from, std::uint64_t end);

    /// nullopt when no record follows, as far as can be read. The error is one of the whole file: no
    /// descriptor, no memory.
    tl::expected<std::optional<Scanned>, std::error_code> next();
    /// Behind the last record that was given: where the next one is written.
    std::uint64_t position() const { return position_; }

private:
    enum class Loaded : std::uint8_t { yes, no, unreadable };
    tl::expected<Loaded, std::error_code> load(std::uint64_t at, std::uint64_t size);
    std::string_view window(std::uint64_t at) const;
    std::optional<RecordHeader> header_at(std::uint64_t at) const;

    const base::DiskFile& file_;
    const SegmentName name_;
    const std::uint64_t end_;
    std::uint64_t position_;
    std::optional<std::uint64_t> found_;  // where a record begins, behind a gap that was just given
    std::string window_;
    std::uint64_t window_at_ = 0;
    std::uint64_t troubled_ = 0;  // up to here the disk is asked for little at once
};

}  // namespace postern::relay
