// The machine's disk, on which everything can be made to hold still, and which knows what was not synced.
#pragma once

#include <atomic>
#include <filesystem>
#include <fstream>
#include <memory>
#include <mutex>
#include <random>
#include <shared_mutex>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

#include "sync/base/disk.h"

namespace postern::tests {

/// From hold() until let_go() whoever changes something on it waits. Both on one thread.
class HeldDisk final : public base::Disk {
public:
    ~HeldDisk() override { let_go(); }

    void hold() {
        if (!std::exchange(held_, true)) mutex_.lock();
    }
    void let_go() {
        if (std::exchange(held_, false)) mutex_.unlock();
    }

    tl::expected<base::DiskFilePtr, std::error_code> open(const std::filesystem::path& file,
                                                          Access access) override {
        const auto lock =
            access == Access::create ? std::shared_lock(mutex_) : std::shared_lock<std::shared_mutex>();
        auto opened = disk_.open(file, access);
        if (!opened) return opened;
        auto writes = std::make_shared<Writes>();
        writes->file = file;
        if (access != Access::read) {
            const std::lock_guard guard(writes_mutex_);
            writes_.push_back(writes);
        }
        return std::make_shared<File>(*this, std::move(writes), std::move(*opened));
    }
    std::error_code make_folder(const std::filesystem::path& folder) override {
        const std::shared_lock lock(mutex_);
        return disk_.make_folder(folder);
    }
    tl::expected<std::vector<std::string>, std::error_code> names(
        const std::filesystem::path& folder) const override {
        return disk_.names(folder);
    }
    std::error_code rename(const std::filesystem::path& from, const std::filesystem::path& to) override {
        const std::shared_lock lock(mutex_);
        const auto error = disk_.rename(from, to);
        const std::lock_guard guard(writes_mutex_);
        for (const auto& one : writes_)
            if (!error && one->file == from) one->file = to;
        return error;
    }
    std::error_code link(const std::filesystem::path& file, const std::filesystem::path& name) override {
        const std::shared_lock lock(mutex_);
        return disk_.link(file, name);
    }
    std::error_code remove(const std::filesystem::path& file) override {
        const std::shared_lock lock(mutex_);
        return disk_.remove(file);
    }
    std::error_code sync_folder(const std::filesystem::path& folder) override {
        return disk_.sync_folder(folder);
    }
    tl::expected<std::uint64_t, std::error_code> room(const std::filesystem::path& folder) const override {
        return disk_.room(folder);
    }

    /// Nothing can be read from it any more, or everything again.
    void make_unreadable(bool now) { unreadable_ = now; }

    /// In a copy of a folder on it: some of what was written there and not synced is gone.
    void forget_some(const std::filesystem::path& folder, const std::filesystem::path& copy,
                     std::mt19937& random) {
        const std::lock_guard guard(writes_mutex_);
        for (const auto& one : writes_) {
            const auto there = copy / one->file.lexically_relative(folder);
            if (one->unsynced.empty() || !std::filesystem::exists(there)) continue;
            std::fstream file(there, std::ios::in | std::ios::out | std::ios::binary);
            for (const auto& [at, size] : one->unsynced) {
                if (random() % 2 == 0) continue;
                // Whole, or from somewhere on.
                const std::uint64_t kept = random() % 2 == 0 ? 0 : random() % (size + 1);
                file.seekp(static_cast<std::streamoff>(at + kept));
                file << std::string(static_cast<std::size_t>(size - kept), '\0');
            }
        }
    }

private:
    struct Writes {
        std::filesystem::path file;
        std::vector<std::pair<std::uint64_t, std::uint64_t>> unsynced;  // (octet, size)
    };

    class File final : public base::DiskFile {
    public:
        File(HeldDisk& disk, std::shared_ptr<Writes> writes, base::DiskFilePtr file)
            : disk_(disk), writes_(std::move(writes)), file_(std::move(file)) {}
        tl::expected<std::size_t, std::error_code> read(std::uint64_t at, char* to,
                                                        std::size_t size) const override {
            if (disk_.unreadable_) return tl::make_unexpected(std::make_error_code(std::errc::io_error));
            return file_->read(at, to, size);
        }
        std::error_code write(std::uint64_t at, std::span<const std::string_view> pieces) override {
            const std::shared_lock lock(disk_.mutex_);
            std::uint64_t size = 0;
            for (const auto piece : pieces) size += piece.size();
            {
                const std::lock_guard guard(disk_.writes_mutex_);
                writes_->unsynced.emplace_back(at, size);
            }
            return file_->write(at, pieces);
        }
        std::error_code reserve(std::uint64_t size) override {
            const std::shared_lock lock(disk_.mutex_);
            return file_->reserve(size);
        }
        std::error_code sync() override {
            std::size_t before = 0;
            {
                const std::lock_guard guard(disk_.writes_mutex_);
                before = writes_->unsynced.size();
            }
            const auto error = file_->sync();
            const std::lock_guard guard(disk_.writes_mutex_);
            auto& all = writes_->unsynced;
            if (!error) all.erase(all.begin(), all.begin() + static_cast<std::ptrdiff_t>(before));
            return error;
        }
        tl::expected<std::uint64_t, std::error_code> size() const override { return file_->size(); }

    private:
        HeldDisk& disk_;
        const std::shared_ptr<Writes> writes_;
        base::DiskFilePtr file_;
    };

    base::SystemDisk disk_;
    std::shared_mutex mutex_;
    std::mutex writes_mutex_;
    std::vector<std::shared_ptr<Writes>> writes_;
    bool held_ = false;
    std::atomic<bool> unreadable_ = false;
};

}  // namespace postern::tests
