// Getting files and folders onto the disk.
#pragma once

#include <filesystem>
#include <system_error>

namespace postern::relay {

/// fdatasync of an existing file. An error is final for what was written: the kernel may have dropped it.
std::error_code sync_file(const std::filesystem::path& file);
/// fsync of a folder, so that the names in it last.
std::error_code sync_folder(const std::filesystem::path& folder);

}  // namespace postern::relay
