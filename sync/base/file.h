// The machine's files, as the administrator gives them: read whole. The errno that happened is given as it
// is, so that nobody takes what cannot be read at this moment for something missing, empty or damaged;
// file_fault() puts it into words. What a gateway keeps itself goes through a Disk (kept_file.h).
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <filesystem>
#include <string>
#include <string_view>
#include <system_error>

#include <tl/expected.hpp>

#include "sync/base/descriptor.h"

namespace postern::base {

/// What errno says.
std::error_code last_error();

/// Closed on exec. Nobody is waited for: neither for who writes to a pipe, nor for who reads.
tl::expected<Descriptor, std::error_code> open_file(const std::filesystem::path& file, int flags,
                                                    mode_t mode = 0600);

/// All octets of a file: errc::file_too_large when they are more than `most`. That there is no such file is
/// errc::no_such_file_or_directory and nothing else. What was read lies in memory once.
tl::expected<std::string, std::error_code> read_file(const std::filesystem::path& file, std::size_t most);

/// Whatever signals come in between.
std::error_code write_all(int descriptor, std::string_view octets);

/// fdatasync through what the file was written through: an error of writing is told to nobody who opens it
/// later. It is final for what was written: the kernel may have dropped it.
std::error_code sync_file(const Descriptor& file);
/// fsync of a folder, so that the names in it last.
std::error_code sync_folder(const std::filesystem::path& folder);

}  // namespace postern::base
