// What is kept from one start to the next, in files that are read and replaced whole, through the disk that
// its owner was given.
#pragma once

#include <cstddef>
#include <filesystem>
#include <functional>
#include <string>
#include <string_view>
#include <system_error>

#include <tl/expected.hpp>

#include "sync/base/disk.h"

namespace postern::base {

/// All octets of a file: errc::file_too_large when they are more than `most`. That there is no such file is
/// errc::no_such_file_or_directory and nothing else.
tl::expected<std::string, std::error_code> read_file(Disk& disk, const std::filesystem::path& file,
                                                     std::size_t most);

/// The file's content is `octets`, and on the disk, when there is no error; otherwise it is as before, or the
/// new one without a promise that it lasts: never a part of it, whenever the machine stops. One thread at a
/// time for each file.
std::error_code replace_file(Disk& disk, const std::filesystem::path& file, std::string_view octets);

/// What read_file() gives; where there is no such file, what `make` does, which is on the disk then.
tl::expected<std::string, std::error_code> obtain_file(Disk& disk, const std::filesystem::path& file,
                                                       std::size_t most,
                                                       const std::function<std::string()>& make);

/// A damaged file gets out of the way of its successor, as "….damaged", over an earlier one: its new name.
tl::expected<std::filesystem::path, std::error_code> set_aside_damaged(Disk& disk,
                                                                       const std::filesystem::path& file);

/// Where somebody keeps what is his; nowhere when there is no disk.
struct StateFolder {
    Disk* disk = nullptr;
    std::filesystem::path path{};
};

}  // namespace postern::base
