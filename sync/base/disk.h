// The disk, as whoever keeps something on it sees it: given at construction, so that a test or a simulation
// can put one in its place that falls short, fails, or forgets what was not synced. Errors are what the
// system says; file_fault() puts them into words.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

#include <tl/expected.hpp>

#include "sync/base/descriptor.h"

namespace postern::base {

/// An open file, closed when it goes. It is read by any thread; two threads do not write the same octets at
/// the same time.
class DiskFile {
public:
    DiskFile() = default;
    DiskFile(const DiskFile&) = delete;
    DiskFile& operator=(const DiskFile&) = delete;
    virtual ~DiskFile() = default;

    /// How many octets from `at` on were read: fewer than `size` only at the end of the file.
    virtual tl::expected<std::size_t, std::error_code> read(std::uint64_t at, char* to,
                                                            std::size_t size) const = 0;
    /// All the pieces, one behind the other. After an error any part of them may have been written.
    virtual std::error_code write(std::uint64_t at, std::span<const std::string_view> pieces) = 0;
    /// The file has this size, and its space is taken: writing there does not fail for want of it.
    virtual std::error_code reserve(std::uint64_t size) = 0;
    /// What was written before is on the disk. An error is final for it: the kernel may have dropped it.
    virtual std::error_code sync() = 0;
    virtual tl::expected<std::uint64_t, std::error_code> size() const = 0;
};
using DiskFilePtr = std::shared_ptr<DiskFile>;

/// Of the machine's, one that is open already.
DiskFilePtr disk_file(Descriptor file);

/// Any thread. It outlives whoever was given it.
class Disk {
public:
    Disk() = default;
    Disk(const Disk&) = delete;
    Disk& operator=(const Disk&) = delete;
    virtual ~Disk() = default;

    enum class Access : std::uint8_t {
        read,
        change,
        create,  // empty, whatever was there
        fresh,   // the same, but errc::file_exists where anything was
    };
    virtual tl::expected<DiskFilePtr, std::error_code> open(const std::filesystem::path& file,
                                                            Access access) = 0;
    /// With those above it; no error when it is there.
    virtual std::error_code make_folder(const std::filesystem::path& folder) = 0;
    virtual tl::expected<std::vector<std::string>, std::error_code> names(
        const std::filesystem::path& folder) const = 0;
    /// In the place of whatever has the new name.
    virtual std::error_code rename(const std::filesystem::path& from, const std::filesystem::path& to) = 0;
    /// A second name for the same octets, errc::file_exists where there is such a file.
    virtual std::error_code link(const std::filesystem::path& file, const std::filesystem::path& name) = 0;
    virtual std::error_code remove(const std::filesystem::path& file) = 0;
    /// The names in it last.
    virtual std::error_code sync_folder(const std::filesystem::path& folder) = 0;
    /// Octets for others than root; 0 where no more files can be made.
    virtual tl::expected<std::uint64_t, std::error_code> room(const std::filesystem::path& folder) const = 0;
};

/// The machine's.
class SystemDisk final : public Disk {
public:
    tl::expected<DiskFilePtr, std::error_code> open(const std::filesystem::path& file,
                                                    Access access) override;
    std::error_code make_folder(const std::filesystem::path& folder) override;
    tl::expected<std::vector<std::string>, std::error_code> names(
        const std::filesystem::path& folder) const override;
    std::error_code rename(const std::filesystem::path& from, const std::filesystem::path& to) override;
    std::error_code link(const std::filesystem::path& file, const std::filesystem::path& name) override;
    std::error_code remove(const std::filesystem::path& file) override;
    std::error_code sync_folder(const std::filesystem::path& folder) override;
    tl::expected<std::uint64_t, std::error_code> room(const std::filesystem::path& folder) const override;
};

}  // namespace postern::base
