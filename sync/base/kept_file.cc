#include "sync/base/kept_file.h"

#include <algorithm>
#include <array>

namespace postern::base {

namespace {

std::filesystem::path folder_of(const std::filesystem::path& file) {
    return file.has_parent_path() ? file.parent_path() : std::filesystem::path(".");
}

}  // namespace

tl::expected<std::string, std::error_code> read_file(Disk& disk, const std::filesystem::path& file,
                                                     std::size_t most) {
    const auto opened = disk.open(file, Disk::Access::read);
    if (!opened) return tl::make_unexpected(opened.error());
    const auto expected = (*opened)->size();
    if (!expected) return tl::make_unexpected(expected.error());
    // One more than there should be, so that the end is seen; who writes meanwhile may have made it longer.
    std::string text(static_cast<std::size_t>(std::min<std::uint64_t>(*expected, most)) + 1, '\0');
    std::size_t size = 0;
    for (;;) {
        const auto got = (*opened)->read(size, text.data() + size, text.size() - size);
        if (!got) return tl::make_unexpected(got.error());
        size += *got;
        if (size < text.size()) break;
        if (size > most) return tl::make_unexpected(std::make_error_code(std::errc::file_too_large));
        text.resize(std::min(2 * size, most) + 1);
    }
    text.resize(size);
    return text;
}

std::error_code replace_file(Disk& disk, const std::filesystem::path& file, std::string_view octets) {
    std::filesystem::path fresh = file;
    fresh += ".new";
    std::error_code error;
    {
        const auto opened = disk.open(fresh, Disk::Access::create);
        if (!opened) return opened.error();
        const std::array all{octets};
        error = (*opened)->write(0, all);
        if (!error) error = (*opened)->sync();
    }
    if (!error) error = disk.rename(fresh, file);
    if (!error) return disk.sync_folder(folder_of(file));
    [[maybe_unused]] const auto ignored = disk.remove(fresh);
    return error;
}

tl::expected<std::string, std::error_code> obtain_file(Disk& disk, const std::filesystem::path& file,
                                                       std::size_t most,
                                                       const std::function<std::string()>& make) {
    auto text = read_file(disk, file, most);
    if (text || text.error() != std::errc::no_such_file_or_directory) return text;
    text = make();
    if (const auto error = replace_file(disk, file, *text)) return tl::make_unexpected(error);
    return text;
}

tl::expected<std::filesystem::path, std::error_code> set_aside_damaged(Disk& disk,
                                                                       const std::filesystem::path& file) {
    std::filesystem::path aside = file;
    aside += ".damaged";
    auto error = disk.rename(file, aside);
    if (!error) error = disk.sync_folder(folder_of(file));
    if (error) return tl::make_unexpected(error);
    return aside;
}

}  // namespace postern::base
