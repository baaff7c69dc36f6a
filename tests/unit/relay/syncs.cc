#include "tests/unit/relay/syncs.h"

#include <sys/syscall.h>
#include <unistd.h>

#include <mutex>
#include <optional>
#include <set>

namespace postern::tests {

namespace {
std::mutex mutex;
std::optional<std::set<int>> synced;
}  // namespace

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

/// Stands before the C library's for all of the test program.
int fdatasync(int fd) {
    {
        std::lock_guard lock(postern::tests::mutex);
        if (postern::tests::synced) postern::tests::synced->insert(fd);
    }
    return static_cast<int>(syscall(SYS_fdatasync, fd));
}
