// The directory on disk, so that a restart decides while the primary is down. One file, replaced whole or not
// at all; version and checksum tell a damaged one.
#pragma once

#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <tl/expected.hpp>

#include "sync/base/disk.h"
#include "sync/directory/directory.h"

namespace postern::sync {

/// The file's content: magic and version, length, records, SHA-256 of all before it. trust_for and own are
/// not stored, they belong to the settings; nor is what was held back, which is doubted anew.
std::string encode(std::span<const PrimaryRecord> directory);
/// The reverse; what is wrong, in words, for anything encode() did not write. In what the version before
/// wrote all primaries list their addresses.
tl::expected<Directory, std::string> decode(std::string_view content);

/// Used by one thread at a time. May wait for a disk.
class Cache final {
public:
    Cache(base::Disk& disk, std::filesystem::path file) : disk_(disk), file_(std::move(file)) {}

    const std::filesystem::path& file() const { return file_; }

    struct Unusable {
        std::string reason;    // in words
        bool damaged = false;  // false: it cannot be read at this moment, and nothing follows from it
        std::filesystem::path set_aside;  // of a damaged one; empty: it could not be renamed
    };
    /// The directory as saved last; empty when there is no file. A damaged file is renamed to "….damaged",
    /// over an earlier one; one that cannot be read stays where it is.
    tl::expected<Directory, Unusable> load() const;

    /// Returns only when the new content is durable; on an error the old file stays as it was.
    tl::expected<void, std::error_code> save(const Directory& directory) const;

private:
    base::Disk& disk_;
    std::filesystem::path file_;
};

}  // namespace postern::sync
