// Files read and replaced whole: the errno that happened is given as it is, so that nobody takes what cannot
// be read at this moment for something missing, empty or damaged. file_fault() puts it into words.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <filesystem>
#include <functional>
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

/// The file's content is `octets`, and on the disk, when there is no error; otherwise it is as before, or the
/// new one without a promise that it lasts: never a part of it. Mode 0600. One thread at a time for each
/// file.
std::error_code replace_file(const std::filesystem::path& file, std::string_view octets);

/// What read_file() gives; where there is no such file, what `make` does, which is on the disk then.
tl::expected<std::string, std::error_code> obtain_file(const std::filesystem::path& file, std::size_t most,
                                                       const std::function<std::string()>& make);

/// fdatasync through what the file was written through: an error of writing is told to nobody who opens it
/// later. It is final for what was written: the kernel may have dropped it.
std::error_code sync_file(const Descriptor& file);
/// fsync of a folder, so that the names in it last.
std::error_code sync_folder(const std::filesystem::path& folder);

}  // namespace postern::base
