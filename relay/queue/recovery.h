// What is found of the journal when it is opened: the checkpoint, and all that was appended since.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <set>
#include <string>
#include <system_error>
#include <vector>

#include <tl/expected.hpp>

#include "relay/queue/checkpoint.h"
#include "relay/queue/journal.h"
#include "relay/queue/loss.h"

namespace postern::relay {

struct Recovered {
    /// Segments that followed the checkpoint and are not there.
    struct Absent {
        std::uint32_t first = 0, last = 0;
        std::uint64_t records = 0;
        std::uint64_t sequence = 0;  // of the first of them
        bool torn = false;           // as a Loss may be
    };
    std::uint64_t records = 0;  // that were gone through
    std::vector<Loss> losses;
    std::vector<Absent> absent;
    std::vector<MessageId> missing;  // of segments that are not there, and were by the checkpoint
    std::string checkpoint_fault;    // why it was of no use; "" when there was none or it was
    std::uint64_t checkpoint_size = 0;
    CheckpointStart checkpoint;  // segment 0: none was used
};

/// The journal's files, as they were seen.
struct JournalFiles {
    std::filesystem::path folder;
    std::map<std::uint32_t, Segment> segments;
    std::uint64_t segment_size = 0;
};

/// Changes nothing: for who only looks, also while another process appends. Without `from_checkpoint` all
/// segments are gone through.
tl::expected<Recovered, std::error_code> look_through(base::Disk& disk, const JournalFiles& files,
                                                      Holdings& holdings, bool from_checkpoint);

/// Fills the holdings, and has the journal go on behind what was found. The error: some of it cannot be read
/// for a reason that is none of the records' (no descriptor, no permission).
tl::expected<Recovered, std::error_code> recover(base::Disk& disk, Journal& journal, Holdings& holdings);

}  // namespace postern::relay
