#include "relay/queue/lock.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <array>
#include <stdexcept>
#include <string>
#include <system_error>

namespace postern::relay {

Lock::Lock(const std::filesystem::path& dir) {
    std::error_code error;
    std::filesystem::create_directories(dir, error);
    std::filesystem::path file = dir / "lock";
    fd_ = ::open(file.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd_ < 0)
        throw std::runtime_error("state_dir: cannot open " + file.string() + ": " +
                                 std::generic_category().message(errno));
    if (::flock(fd_, LOCK_EX | LOCK_NB) != 0) {
        std::array<char, 32> owner{};
        ssize_t got = ::read(fd_, owner.data(), owner.size() - 1);
        ::close(fd_);
        std::string who = got > 0
                              ? " (process " + std::string(owner.data(), static_cast<std::size_t>(got)) + ")"
                              : std::string();
        throw std::runtime_error("state_dir " + dir.string() + " is in use by another postern" + who);
    }
    std::string pid = std::to_string(::getpid());
    if (::ftruncate(fd_, 0) == 0) [[maybe_unused]]
        auto ignored = ::write(fd_, pid.data(), pid.size());
}

Lock::~Lock() {
    if (fd_ >= 0) ::close(fd_);
}

}  // namespace postern::relay
