#include "sync/base/file_fault.h"

#include <cerrno>

#include <grp.h>
#include <pwd.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cstdio>

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

std::string group_name(gid_t group) {
    std::array<char, 4096> space{};
    struct group entry {};
    struct group* found = nullptr;
    if (::getgrgid_r(group, &entry, space.data(), space.size(), &found) != 0 || found == nullptr)
        return std::to_string(group);
    return found->gr_name;
}

std::string mode_of(const struct stat& status) {
    std::array<char, 8> mode{};
    std::snprintf(mode.data(), mode.size(), "%04o", static_cast<unsigned>(status.st_mode & 07777));
    return mode.data();
}

/// Whose fault a refusal is: the file's, or that of the folder behind which nothing can be seen. "" when even
/// that cannot be told.
std::string whose(const std::filesystem::path& path, FileUse use) {
    std::filesystem::path there = path;
    struct stat status {};
    while (::lstat(there.c_str(), &status) != 0) {
        if (!there.has_relative_path() || there.parent_path() == there) return {};
        there = there.parent_path();
    }
    const std::string we = name_of(::geteuid()), owner = name_of(status.st_uid), name = there.string();
    if (use == FileUse::read) {
        const std::string right = S_ISDIR(status.st_mode) ? "g+rx " : "g+r ";
        return " (" + name + " belongs to " + owner + " and has mode " + mode_of(status) +
               ", and this runs as " + we + "; let it read: chgrp " + group_name(::getegid()) + ' ' + name +
               " && chmod " + right + name + ')';
    }
    if (status.st_uid != ::geteuid())
        return " (" + name + " belongs to " + owner + ", and this runs as " + we +
               "; give it all of the folder: chown -R " + we + ' ' + there.parent_path().string() + ')';
    return " (" + name + " has mode " + mode_of(status) + "; " + we + " must be able to read and write it)";
}

}  // namespace

std::string file_fault(const std::filesystem::path& path, const std::error_code& error, FileUse use) {
    return path.string() + ": " + file_trouble(path, error, use);
}

std::string file_trouble(const std::filesystem::path& path, const std::error_code& error, FileUse use) {
    std::string out = error.message();
    if (error == std::errc::permission_denied || error == std::errc::operation_not_permitted)
        return out + whose(path, use);
    if (error == std::errc::read_only_file_system) return out + " (mount it for writing)";
    if (is_full(error)) return out + " (make room on that file system)";
    if (error == std::errc::io_error)
        return out + " (its disk could not read or write it: see what the kernel says, dmesg)";
    if (error == std::errc::too_many_files_open)
        return out + " (raise the limit of open files: LimitNOFILE= of the unit, ulimit -n)";
    return out;
}

bool is_full(const std::error_code& error) {
    return error == std::errc::no_space_on_device ||
           error == std::error_code(EDQUOT, std::generic_category());
}

bool is_passing(const std::error_code& error) {
    for (auto one : {std::errc::too_many_files_open, std::errc::too_many_files_open_in_system,
                     std::errc::not_enough_memory, std::errc::no_buffer_space,
                     std::errc::resource_unavailable_try_again, std::errc::interrupted})
        if (error == one) return true;
    return false;
}

}  // namespace postern::base
