// Preloaded into a process under test: the disk below $STILL_DISK_BELOW stands still as long as the file
// $STILL_DISK_WHILE is there. Whatever then asks something of it waits, as it would in the kernel.
#include <dlfcn.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <array>
#include <cstdarg>
#include <cstdlib>
#include <string>
#include <string_view>

namespace {

bool below(std::string_view path) {
    static const char* const root = std::getenv("STILL_DISK_BELOW");
    return root != nullptr && path.starts_with(root);
}

bool below(int fd) {
    std::array<char, 4096> path{};
    const std::string link = "/proc/self/fd/" + std::to_string(fd);
    const ssize_t length = ::readlink(link.c_str(), path.data(), path.size());
    return length > 0 && below(std::string_view(path.data(), static_cast<std::size_t>(length)));
}

bool stands_still() {
    static const char* const flag = std::getenv("STILL_DISK_WHILE");
    return flag != nullptr && ::syscall(SYS_access, flag, F_OK) == 0;
}

template <typename Place>
void wait_for_disk(const Place& place) {
    while (stands_still() && below(place)) {
        const timespec pause{0, 10'000'000};
        ::nanosleep(&pause, nullptr);
    }
}

template <typename Function>
Function* real(const char* name) {
    return reinterpret_cast<Function*>(::dlsym(RTLD_NEXT, name));
}

}  // namespace

extern "C" {

// NOLINTBEGIN
#define ON_FD(result, name, parameters, arguments)                \
    result name parameters {                                      \
        static auto* const next = real<result parameters>(#name); \
        wait_for_disk(fd);                                        \
        return next arguments;                                    \
    }
#define ON_PATH(result, name, parameters, arguments)              \
    result name parameters {                                      \
        static auto* const next = real<result parameters>(#name); \
        wait_for_disk(std::string_view(path));                    \
        return next arguments;                                    \
    }

ON_FD(ssize_t, write, (int fd, const void* octets, size_t size), (fd, octets, size))
ON_FD(ssize_t, pwrite, (int fd, const void* octets, size_t size, off_t at), (fd, octets, size, at))
ON_FD(ssize_t, pwrite64, (int fd, const void* octets, size_t size, off_t at), (fd, octets, size, at))
ON_FD(ssize_t, pwritev, (int fd, const struct iovec* parts, int count, off_t at), (fd, parts, count, at))
ON_FD(ssize_t, read, (int fd, void* octets, size_t size), (fd, octets, size))
ON_FD(ssize_t, pread, (int fd, void* octets, size_t size, off_t at), (fd, octets, size, at))
ON_FD(int, fsync, (int fd), (fd))
ON_FD(int, fdatasync, (int fd), (fd))
ON_FD(int, fallocate, (int fd, int mode, off_t from, off_t size), (fd, mode, from, size))
ON_FD(int, ftruncate, (int fd, off_t size), (fd, size))
ON_PATH(int, rename, (const char* path, const char* to), (path, to))
ON_PATH(int, unlink, (const char* path), (path))
ON_PATH(int, remove, (const char* path), (path))
ON_PATH(int, stat, (const char* path, struct stat* out), (path, out))
ON_PATH(int, lstat, (const char* path, struct stat* out), (path, out))
ON_PATH(int, statvfs, (const char* path, struct statvfs* out), (path, out))
#undef ON_FD
#undef ON_PATH

#define OPEN(name)                                                                         \
    int name(const char* path, int flags, ...) {                                           \
        static auto* const next = real<int(const char*, int, ...)>(#name);                 \
        va_list more;                                                                      \
        va_start(more, flags);                                                             \
        const auto mode = (flags & (O_CREAT | O_TMPFILE)) != 0 ? va_arg(more, mode_t) : 0; \
        va_end(more);                                                                      \
        wait_for_disk(std::string_view(path));                                             \
        return next(path, flags, mode);                                                    \
    }
OPEN(open)
OPEN(open64)
#undef OPEN
// NOLINTEND

}  // extern "C"
