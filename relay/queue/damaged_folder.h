// Where what cannot be used is kept, for whoever wants to look at it: nothing is taken away that is not
// there.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <system_error>

#include "sync/base/disk.h"

namespace postern::relay {

/// STATE_DIR/damaged. One thread at a time.
class DamagedFolder {
public:
    DamagedFolder(base::Disk& disk, std::filesystem::path folder) : disk_(disk), folder_(std::move(folder)) {}

    const std::filesystem::path& path() const { return folder_; }
    /// The octets are on the disk under this name; in the place of what an earlier try left there.
    std::error_code keep(const std::string& name, std::string_view octets);
    /// Beside what is there already, never over it.
    std::error_code move_here(const std::filesystem::path& file);
    bool empty() const;

private:
    base::Disk& disk_;
    const std::filesystem::path folder_;
};

}  // namespace postern::relay
