#include "tests/unit/relay/failing_writes.h"

#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <mutex>
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

}  // namespace postern::tests

/// Stands before the C library's for all of the test program, the engine of the spool too.
ssize_t pwrite(int fd, const void* from, size_t size, off_t at) {
    if (postern::tests::fails(fd, at)) return -1;
    return syscall(SYS_pwrite64, fd, from, size, at);
}
