#include "tests/unit/relay/failing_writes.h"

#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <system_error>

namespace postern::tests {

namespace {

struct Plan {
    std::string suffix;
    long octets = 0;
    int error = 0, times = 0, failed = 0;
};
std::mutex mutex;
Plan plan;
std::optional<std::set<int>> synced;

bool fails(int fd, long at) {
    std::lock_guard lock(mutex);
    if (plan.failed == plan.times || at >= plan.octets) return false;
    std::error_code none;
    const auto file = std::filesystem::read_symlink("/proc/self/fd/" + std::to_string(fd), none);
    if (!file.string().ends_with(plan.suffix)) return false;
    ++plan.failed;
    errno = plan.error;
    return true;
}

}  // namespace

FailingWrites::FailingWrites(std::filesystem::path suffix, long octets, int error, int times) {
    std::lock_guard lock(mutex);
    plan = Plan{suffix.string(), octets, error, times};
}

FailingWrites::~FailingWrites() {
    std::lock_guard lock(mutex);
    plan = Plan();
}

int FailingWrites::failed() const {
    std::lock_guard lock(mutex);
    return plan.failed;
}

Syncs::Syncs() {
    std::lock_guard lock(mutex);
    synced.emplace();
}

Syncs::~Syncs() {
    std::lock_guard lock(mutex);
    synced.reset();
}

bool Syncs::contain(int descriptor) const {
    std::lock_guard lock(mutex);
    return synced->contains(descriptor);
}

}  // namespace postern::tests

int fdatasync(int fd) {
    {
        std::lock_guard lock(postern::tests::mutex);
        if (postern::tests::synced) postern::tests::synced->insert(fd);
    }
    return static_cast<int>(syscall(SYS_fdatasync, fd));
}

/// Stands before the C library's for all of the test program, the engine of the spool too.
ssize_t pwrite(int fd, const void* from, size_t size, off_t at) {
    if (postern::tests::fails(fd, at)) return -1;
    return syscall(SYS_pwrite64, fd, from, size, at);
}
