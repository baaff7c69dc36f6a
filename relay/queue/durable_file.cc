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

}  // namespace postern::relay
