#include "sync/base/file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

namespace postern::base {

namespace {

constexpr std::size_t piece = 64 << 10;

}  // namespace

std::error_code last_error() { return {errno, std::generic_category()}; }

tl::expected<Descriptor, std::error_code> open_file(const std::filesystem::path& file, int flags,
                                                    mode_t mode) {
    Descriptor opened(::open(file.c_str(), flags | O_CLOEXEC | O_NONBLOCK, mode));
    if (!opened) return tl::make_unexpected(last_error());
    return opened;
}

tl::expected<std::string, std::error_code> read_file(const std::filesystem::path& file, std::size_t most) {
    const auto opened = open_file(file, O_RDONLY);
    if (!opened) return tl::make_unexpected(opened.error());
    const auto too_large = [] {
        return tl::make_unexpected(std::make_error_code(std::errc::file_too_large));
    };
    struct stat status {};
    if (::fstat(opened->get(), &status) != 0) return tl::make_unexpected(last_error());
    const auto expected = static_cast<std::size_t>(std::max<off_t>(status.st_size, 0));
    if (S_ISREG(status.st_mode) && expected > most) return too_large();
    std::string text(std::max(std::min(expected, most) + 1, std::min(most + 1, piece)), '\0');
    std::size_t size = 0;
    for (;;) {
        const ssize_t got = ::read(opened->get(), text.data() + size, text.size() - size);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) return tl::make_unexpected(last_error());
        if (got == 0) break;
        size += static_cast<std::size_t>(got);
        if (size > most) return too_large();
        if (size == text.size()) text.resize(std::min(2 * size, most + 1));
    }
    text.resize(size);
    return text;
}

std::error_code write_all(int descriptor, std::string_view octets) {
    while (!octets.empty()) {
        const ssize_t wrote = ::write(descriptor, octets.data(), octets.size());
        if (wrote < 0 && errno == EINTR) continue;
        if (wrote < 0) return last_error();
        octets.remove_prefix(static_cast<std::size_t>(wrote));
    }
    return {};
}

std::error_code sync_file(const Descriptor& file) {
    return ::fdatasync(file.get()) == 0 ? std::error_code() : last_error();
}

std::error_code sync_folder(const std::filesystem::path& folder) {
    const auto opened = open_file(folder, O_RDONLY | O_DIRECTORY);
    if (!opened) return opened.error();
    return ::fsync(opened->get()) == 0 ? std::error_code() : last_error();
}

}  // namespace postern::base
