// Getting files and folders onto the disk.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <system_error>

namespace postern::relay {

/// fdatasync of an existing file. An error is final for what was written: the kernel may have dropped it.
std::error_code sync_file(const std::filesystem::path& file);
/// fsync of a folder, so that the names in it last.
std::error_code sync_folder(const std::filesystem::path& folder);

/// The file's content is `text`, or as before: never a part of it. Mode 0600.
std::error_code replace_file(const std::filesystem::path& file, std::string_view text);
/// At most 64 MiB; "" when it cannot be read.
std::string read_small_file(const std::filesystem::path& file);

}  // namespace postern::relay
