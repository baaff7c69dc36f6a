// Octets of the journal that prove nothing, or cannot be had: what is known of them, and how it is told.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>

#include "relay/queue/journal_record.h"
#include "relay/queue/journal_scan.h"

namespace postern::relay {

struct Loss {
    Scanned::What what = Scanned::What::gap;
    Place place;
    RecordHeader header;         // where it proves itself; else its sequence is 0
    std::uint64_t records = 0;   // that are missing there, as far as can be known; 0: unknown
    std::uint64_t sequence = 0;  // of the first of them; where it is unknown, of the last
    /// Not known to have been on the disk: the machine stopped while it was written, most likely.
    bool torn = false;
    std::uint64_t durable = 0;  // what has a smaller sequence was on the disk then
};

/// Of the file in damaged/ that has its octets.
std::string name_of(const Loss& loss);

/// For an administrator: what is wrong, and whose it is as far as `octets` show.
std::string in_words(const Loss& loss, std::string_view octets);

/// The same, and where it is now. `kept`:
/// in damaged/.
std::string in_words(const Loss& loss, std::string_view octets, bool kept,
                     const std::filesystem::path& folder, const std::filesystem::path& damaged);

}  // namespace postern::relay
