#include "sync/base/file_fault.h"

#include <pwd.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>

namespace postern::base {

namespace {

std::string name_of(uid_t user) {
    std::array<char, 4096> space{};
    struct passwd entry {};
    struct passwd* found = nullptr;
    if (::getpwuid_r(user, &entry, space.data(), space.size(), &found) != 0 || found == nullptr)
        return "user " + std::to_string(user);
    return found->pw_name;
}

}  // namespace

std::string file_fault(const std::filesystem::path& path, const std::error_code& error) {
    std::string out = path.string() + ": " + error.message();
    if (error == std::errc::permission_denied || error == std::errc::operation_not_permitted) {
        std::filesystem::path there = path;
        struct stat status {};
        while (::lstat(there.c_str(), &status) != 0) {
            if (!there.has_relative_path() || there.parent_path() == there) return out;
            there = there.parent_path();
        }
        std::string we = name_of(::geteuid()), owner = name_of(status.st_uid);
        if (status.st_uid != ::geteuid())
            return out + " (" + there.string() + " belongs to " + owner + ", and this runs as " + we +
                   "; give it all of the folder: chown -R " + we + " " + there.parent_path().string() + ")";
        std::array<char, 8> mode{};
        std::snprintf(mode.data(), mode.size(), "%04o", static_cast<unsigned>(status.st_mode & 07777));
        return out + " (" + there.string() + " has mode " + mode.data() + "; " + we +
               " must be able to read and write it)";
    }
    if (error == std::errc::read_only_file_system) return out + " (mount it for writing)";
    if (error == std::errc::too_many_files_open)
        return out + " (raise the limit of open files: LimitNOFILE= of the unit, ulimit -n)";
    return out;
}

bool is_passing(const std::error_code& error) {
    for (auto one : {std::errc::too_many_files_open, std::errc::too_many_files_open_in_system,
                     std::errc::not_enough_memory, std::errc::no_buffer_space,
                     std::errc::resource_unavailable_try_again, std::errc::interrupted})
        if (error == one) return true;
    return false;
}

}  // namespace postern::base
