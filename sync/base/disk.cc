#include "sync/base/disk.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <climits>

#include "sync/base/descriptor.h"
#include "sync/base/file.h"

namespace postern::base {

namespace {

class SystemFile final : public DiskFile {
public:
    explicit SystemFile(Descriptor file) : file_(std::move(file)) {}

    tl::expected<std::size_t, std::error_code> read(std::uint64_t at, char* to,
                                                    std::size_t size) const override {
        std::size_t have = 0;
        while (have < size) {
            const ssize_t got = ::pread(file_.get(), to + have, size - have, static_cast<off_t>(at + have));
            if (got < 0 && errno == EINTR) continue;
            if (got < 0) return tl::make_unexpected(last_error());
            if (got == 0) break;
            have += static_cast<std::size_t>(got);
        }
        return have;
    }

    std::error_code write(std::uint64_t at, std::span<const std::string_view> pieces) override {
        std::array<iovec, 256> parts;
        std::size_t next = 0, within = 0;  // of the pieces; octets of that one which are written
        while (next < pieces.size()) {
            std::size_t count = 0;
            for (std::size_t one = next; one < pieces.size() && count < parts.size(); ++one) {
                const std::string_view octets = pieces[one].substr(one == next ? within : 0);
                parts[count++] = {const_cast<char*>(octets.data()), octets.size()};
            }
            const ssize_t wrote =
                ::pwritev(file_.get(), parts.data(), static_cast<int>(count), static_cast<off_t>(at));
            if (wrote < 0 && errno == EINTR) continue;
            if (wrote < 0) return last_error();
            at += static_cast<std::uint64_t>(wrote);
            within += static_cast<std::size_t>(wrote);
            while (next < pieces.size() && within >= pieces[next].size()) within -= pieces[next++].size();
        }
        return {};
    }

    std::error_code reserve(std::uint64_t size) override {
        int error = 0;
        do error = ::posix_fallocate(file_.get(), 0, static_cast<off_t>(size));
        while (error == EINTR);
        return {error, std::generic_category()};
    }

    std::error_code sync() override { return sync_file(file_); }

    tl::expected<std::uint64_t, std::error_code> size() const override {
        struct stat status {};
        if (::fstat(file_.get(), &status) != 0) return tl::make_unexpected(last_error());
        return static_cast<std::uint64_t>(status.st_size);
    }

private:
    Descriptor file_;
};

}  // namespace

DiskFilePtr disk_file(Descriptor file) { return std::make_shared<SystemFile>(std::move(file)); }

tl::expected<DiskFilePtr, std::error_code> SystemDisk::open(const std::filesystem::path& file,
                                                            Access access) {
    const int flags = access == Access::read     ? O_RDONLY
                      : access == Access::change ? O_RDWR
                      : access == Access::fresh  ? O_RDWR | O_CREAT | O_EXCL
                                                 : O_RDWR | O_CREAT | O_TRUNC | O_NOFOLLOW;
    auto opened = open_file(file, flags);
    if (!opened) return tl::make_unexpected(opened.error());
    return disk_file(std::move(*opened));
}

std::error_code SystemDisk::make_folder(const std::filesystem::path& folder) {
    std::error_code error;
    std::filesystem::create_directories(folder, error);
    return error;
}

tl::expected<std::vector<std::string>, std::error_code> SystemDisk::names(
    const std::filesystem::path& folder) const {
    std::vector<std::string> out;
    std::error_code error;
    std::filesystem::directory_iterator each(folder, error);
    for (; !error && each != std::filesystem::directory_iterator(); each.increment(error))
        out.push_back(each->path().filename().string());
    if (error) return tl::make_unexpected(error);
    std::sort(out.begin(), out.end());
    return out;
}

std::error_code SystemDisk::rename(const std::filesystem::path& from, const std::filesystem::path& to) {
    return ::rename(from.c_str(), to.c_str()) == 0 ? std::error_code() : last_error();
}

std::error_code SystemDisk::link(const std::filesystem::path& file, const std::filesystem::path& name) {
    return ::link(file.c_str(), name.c_str()) == 0 ? std::error_code() : last_error();
}

std::error_code SystemDisk::remove(const std::filesystem::path& file) {
    return ::unlink(file.c_str()) == 0 ? std::error_code() : last_error();
}

std::error_code SystemDisk::sync_folder(const std::filesystem::path& folder) {
    return base::sync_folder(folder);
}

tl::expected<std::uint64_t, std::error_code> SystemDisk::room(const std::filesystem::path& folder) const {
    struct statvfs disk {};
    if (::statvfs(folder.c_str(), &disk) != 0) return tl::make_unexpected(last_error());
    // Without inodes no file can be made, however many octets are free.
    if (disk.f_files > 0 && disk.f_favail < 64) return 0;
    return static_cast<std::uint64_t>(disk.f_bavail) * disk.f_frsize;
}

}  // namespace postern::base
