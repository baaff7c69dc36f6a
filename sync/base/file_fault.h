// What is wrong with a file, told to whoever has to mend it.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <system_error>

namespace postern::base {

/// What a file is to us: one of our own, which is written and replaced, or somebody else's, which is read.
enum class FileUse : std::uint8_t { own, read };

/// "PATH: Permission denied (it belongs to root …; give it to postern: chown …)": the path, the system's word
/// for what happened and, where it is a matter of rights or room, whose it is and what helps. For a file that
/// is not there its folder is looked at.
std::string file_fault(const std::filesystem::path& path, const std::error_code& error,
                       FileUse use = FileUse::own);

/// The same without "PATH: " at the beginning, where the path is said already.
std::string file_trouble(const std::filesystem::path& path, const std::error_code& error,
                         FileUse use = FileUse::own);

/// Whether the system is short of something that comes back by itself (descriptors, memory), so that the same
/// may work a moment later and nothing is known about the file.
bool is_passing(const std::error_code& error);

/// Whether there is no room left, or the account may take no more of it.
bool is_full(const std::error_code& error);

}  // namespace postern::base
