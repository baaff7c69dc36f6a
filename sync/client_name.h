// What primaries see as the name of the client that signs in.
#pragma once

#include <filesystem>
#include <string>

#include "sync/base/disk.h"

namespace postern::sync {

/// A name of its own, for once.
std::string random_client_name();

/// The name of this installation, made at the first start. A file that was cut short, as earlier versions
/// could leave it, is written anew; one that cannot be read is not: throws std::runtime_error naming it.
std::string obtain_client_name(base::Disk& disk, const std::filesystem::path& file);

}  // namespace postern::sync
