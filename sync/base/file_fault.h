// What is wrong with a file, told to whoever has to mend it.
#pragma once

#include <filesystem>
#include <string>
#include <system_error>

namespace postern::base {

/// "PATH: Permission denied (it belongs to root …; give it to postern: chown …)": the path, the system's word
/// for what happened and, where it is a matter of rights or room, whose it is and what helps. For a file that
/// is not there its folder is looked at.
std::string file_fault(const std::filesystem::path& path, const std::error_code& error);

/// Whether the system is short of something that comes back by itself (descriptors, memory), so that the same
/// may work a moment later and nothing is known about the file.
bool is_passing(const std::error_code& error);

}  // namespace postern::base
