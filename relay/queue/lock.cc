#include "relay/queue/lock.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <array>
#include <stdexcept>
#include <string>
#include <system_error>

#include "sync/base/file.h"
#include "sync/base/file_fault.h"

namespace postern::relay {

Lock::Lock(const std::filesystem::path& dir) {
    std::error_code error;
    std::filesystem::create_directories(dir, error);
    if (error) throw std::runtime_error("state_dir: cannot make " + base::file_fault(dir, error));
    std::filesystem::path file = dir / "lock";
    auto opened = base::open_file(file, O_RDWR | O_CREAT);
    if (!opened) throw std::runtime_error("state_dir: cannot open " + base::file_fault(file, opened.error()));
    file_ = std::move(*opened);
    if (::flock(file_.get(), LOCK_EX | LOCK_NB) != 0) {
        error = base::last_error();
        if (error != std::errc::operation_would_block)
            throw std::runtime_error("state_dir: cannot lock " + base::file_fault(file, error));
        std::array<char, 32> owner{};
        ssize_t got = ::read(file_.get(), owner.data(), owner.size() - 1);
        std::string who = got > 0
                              ? " (process " + std::string(owner.data(), static_cast<std::size_t>(got)) + ")"
                              : std::string();
        throw std::runtime_error("state_dir " + dir.string() + " is in use by another postern" + who);
    }
    std::string pid = std::to_string(::getpid());
    if (::ftruncate(file_.get(), 0) == 0) [[maybe_unused]]
        auto ignored = base::write_all(file_.get(), pid);
}

}  // namespace postern::relay
