// The index written down now and then, so that a start reads it and what was appended since. One that is
// missing, old or damaged costs time, never mail.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <mutex>
#include <optional>
#include <set>
#include <shared_mutex>
#include <string>
#include <string_view>
#include <system_error>

#include <tl/expected.hpp>

#include "relay/queue/graves.h"
#include "relay/queue/index.h"
#include "relay/queue/journal_record.h"
#include "sync/base/disk.h"

namespace postern::relay {

/// What the journal holds. Whoever reads it while another thread appends takes the mutex shared.
struct Holdings {
    mutable std::shared_mutex mutex;
    Index index;
    GraveLedger graves;
    /// Segments out of which something was moved that a `done` has not been written for: as long as they are
    /// there, the records of a message that goes may lie in them too.
    std::set<std::uint32_t> emptied;
    /// Up to this one a copy may lie that was written in vain, and could not be erased.
    std::uint32_t copied_in_vain = 0;
    MessageId last_id;  // the greatest that was ever seen
    /// Reports that are written and not synced: not to be found yet, while what they tell of is gone already.
    std::uint64_t coming = 0;
    /// Held while a note is appended and entered, by whoever does so on another thread than commits are made
    /// on.
    std::mutex noting;
};

/// From where on the journal is read after a checkpoint.
struct CheckpointStart {
    std::uint32_t segment = 0;
    std::uint64_t position = 0;                      // octet
    std::uint64_t sequence = 0;                      // of the record there
    std::map<std::uint32_t, std::uint64_t> marks{};  // of the segments that there are
};

/// Writes the holdings as they are while others go on changing them: what was appended from `start` on must
/// be read over what it gives. It counts once finish() has given it its name.
class CheckpointWriter {
public:
    /// Made when nothing was appended since `start`, so that no end of a message is counted twice.
    CheckpointWriter(base::Disk& disk, std::filesystem::path folder, const Holdings& holdings,
                     const CheckpointStart& start);

    /// Goes on for a part of some thousand messages. True when that was the last.
    tl::expected<bool, std::error_code> step();
    /// Everything it refers to is on the disk. Gives its octets.
    tl::expected<std::uint64_t, std::error_code> finish();

private:
    std::error_code put(std::string_view payload);
    std::string begin(const CheckpointStart& start) const;
    std::error_code open();

    base::Disk& disk_;
    const std::filesystem::path folder_;
    const Holdings& holdings_;
    std::string begin_;  // which says the rest of what there is at the start
    base::DiskFilePtr file_;
    std::uint64_t position_ = 0, messages_ = 0;
    MessageId after_;
};

struct CheckpointRead {
    CheckpointStart start;
    std::uint64_t size = 0;  // octets
};
/// There is none any more.
std::error_code drop_checkpoint(base::Disk& disk, const std::filesystem::path& folder);

/// nullopt, and the holdings are as they were, when there is none that can be believed of these segments:
/// `why` says what was wrong with it, or is empty.
std::optional<CheckpointRead> read_checkpoint(base::Disk& disk, const std::filesystem::path& folder,
                                              const std::map<std::uint32_t, Segment>& segments,
                                              Holdings& holdings, std::string& why);

}  // namespace postern::relay
