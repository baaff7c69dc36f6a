#include "relay/queue/durable_file.h"

#include <fcntl.h>
#include <unistd.h>

namespace postern::relay {

namespace {

std::error_code sync(const std::filesystem::path& path, int flags, int (*how)(int)) {
    int fd = ::open(path.c_str(), flags | O_CLOEXEC);
    if (fd < 0) return {errno, std::generic_category()};
    std::error_code error;
    if (how(fd) != 0) error = {errno, std::generic_category()};
    ::close(fd);
    return error;
}

}  // namespace

std::error_code sync_file(const std::filesystem::path& file) { return sync(file, O_RDONLY, ::fdatasync); }
std::error_code sync_folder(const std::filesystem::path& folder) {
    return sync(folder, O_RDONLY | O_DIRECTORY, ::fsync);
}

std::error_code replace_file(const std::filesystem::path& file, std::string_view text) {
    std::filesystem::path fresh = file;
    fresh += ".new";
    int fd = ::open(fresh.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0) return {errno, std::generic_category()};
    std::error_code error;
    while (!error && !text.empty()) {
        ssize_t wrote = ::write(fd, text.data(), text.size());
        if (wrote > 0)
            text.remove_prefix(static_cast<std::size_t>(wrote));
        else if (errno != EINTR)
            error = {errno, std::generic_category()};
    }
    if (!error && ::fdatasync(fd) != 0) error = {errno, std::generic_category()};
    ::close(fd);
    if (!error) std::filesystem::rename(fresh, file, error);
    if (error) ::unlink(fresh.c_str());
    if (!error) error = sync_folder(file.parent_path());
    return error;
}

std::string read_small_file(const std::filesystem::path& file) {
    constexpr std::size_t most = 64u << 20;
    std::string out;
    int fd = ::open(file.c_str(), O_RDONLY | O_CLOEXEC);
    if (fd < 0) return out;
    std::string part(64 * 1024, '\0');
    for (ssize_t got = 0; out.size() < most && (got = ::read(fd, part.data(), part.size())) > 0;)
        out.append(part, 0, static_cast<std::size_t>(got));
    ::close(fd);
    return out;
}

}  // namespace postern::relay
