// Which segments of the journal lie in a folder, and whether they can be what a gateway left there.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <system_error>
#include <vector>

#include "relay/queue/journal_record.h"
#include "sync/base/disk.h"

namespace postern::relay {

struct SegmentFiles {
    std::map<std::uint32_t, Segment> segments;
    /// Of what nothing that postern does, and no crash, makes: files that somebody put there, or called
    /// otherwise. Whoever went by the segments then would take mail for damaged, or never see it.
    std::vector<std::string> faults;
    /// Why it cannot be seen, and of which file.
    std::error_code error;
    std::filesystem::path unseen;
};

SegmentFiles list_segments(base::Disk& disk, const std::filesystem::path& folder,
                           const std::vector<std::string>& names);

}  // namespace postern::relay
