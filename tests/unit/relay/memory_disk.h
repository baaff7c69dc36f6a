// A disk in memory: it fails when it is told to, its octets can be damaged, and it can forget what was not
// synced.
#pragma once

#include <cstdint>
#include <deque>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include "sync/base/disk.h"

namespace postern::tests {

/// Any thread.
class MemoryDisk final : public base::Disk {
public:
    enum class Act : std::uint8_t { open, read, write, reserve, sync, rename, link, remove, sync_folder };

    MemoryDisk();
    ~MemoryDisk() override;

    tl::expected<base::DiskFilePtr, std::error_code> open(const std::filesystem::path& file,
                                                          Access access) override;
    std::error_code make_folder(const std::filesystem::path& folder) override;
    tl::expected<std::vector<std::string>, std::error_code> names(
        const std::filesystem::path& folder) const override;
    std::error_code rename(const std::filesystem::path& from, const std::filesystem::path& to) override;
    std::error_code link(const std::filesystem::path& file, const std::filesystem::path& name) override;
    std::error_code remove(const std::filesystem::path& file) override;
    std::error_code sync_folder(const std::filesystem::path& folder) override;
    tl::expected<std::uint64_t, std::error_code> room(const std::filesystem::path& folder) const override;

    /// The next `times` of these fail. Half of a write that fails is written.
    void fail(Act act, std::errc error, std::size_t times = 1);
    /// Whoever reads any of the octets in [`from`, `to`) of the file gets EIO.
    void make_unreadable(const std::filesystem::path& file, std::uint64_t from, std::uint64_t to);
    void make_readable(const std::filesystem::path& file);
    void set_room(std::uint64_t octets);
    std::size_t count(Act act) const;  // so far, with those that failed

    /// The machine stops: of each sector and name that was not synced `keep` says whether it is there
    /// afterwards. Files that are open now are cut off from the disk.
    void crash(const std::function<bool()>& keep);
    /// The process ends: all is there that was written, but what was not synced still may be lost. Files that
    /// are open now are cut off from the disk.
    void kill();

    // What is there now, as if it had been synced.
    bool has(const std::filesystem::path& file) const;
    std::string octets(const std::filesystem::path& file) const;
    void put(const std::filesystem::path& file, std::string octets);
    void flip(const std::filesystem::path& file, std::uint64_t bit);

    struct State;

private:
    const std::shared_ptr<State> state_;
};

}  // namespace postern::tests
