// Secrets of the gateway's own, by which it knows again what it made.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>

#include "sync/base/disk.h"

namespace postern::relay {

/// The secret in `file`, made and synced at the first start, mode 0600. Throws std::runtime_error naming the
/// file: with another secret what was made before would be refused. `of_what` is said in that.
std::string obtain_secret(base::Disk& disk, const std::filesystem::path& file, std::string_view of_what);

}  // namespace postern::relay
