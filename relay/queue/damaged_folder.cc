#include "relay/queue/damaged_folder.h"

#include <algorithm>
#include <array>

namespace postern::relay {

std::error_code DamagedFolder::keep(const std::string& name, std::string_view octets) {
    auto error = disk_.make_folder(folder_);
    if (error) return error;
    const auto file = disk_.open(folder_ / name, base::Disk::Access::create);
    if (!file) return file.error();
    const std::array pieces{octets};
    error = (*file)->write(0, pieces);
    if (!error) error = (*file)->sync();
    if (!error) error = disk_.sync_folder(folder_);
    return error;
}

std::error_code DamagedFolder::move_here(const std::filesystem::path& file) {
    auto error = disk_.make_folder(folder_);
    if (error) return error;
    const auto names = disk_.names(folder_);
    if (!names) return names.error();
    const auto taken = [&](const std::string& name) {
        return std::binary_search(names->begin(), names->end(), name);
    };
    const std::string wanted = file.filename().string();
    std::string name = wanted;
    for (int again = 2; taken(name); ++again) name = wanted + '.' + std::to_string(again);
    error = disk_.rename(file, folder_ / name);
    if (!error) error = disk_.sync_folder(folder_);
    if (!error) error = disk_.sync_folder(file.parent_path());
    return error;
}

bool DamagedFolder::empty() const {
    const auto names = disk_.names(folder_);
    return names ? names->empty() : names.error() == std::errc::no_such_file_or_directory;
}

}  // namespace postern::relay
