// The machine's disk, but a test says which operations fail.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include "sync/base/disk.h"

namespace postern::tests {

/// Any thread. Operations on files that are open already fail by the plan of the moment too.
class FailingDisk : public base::Disk {
public:
    enum class Operation : std::uint8_t {
        open,
        create,  // open, of a new file
        read,
        write,
        reserve,
        sync,
        make_folder,
        names,
        rename,  // `file` is what it was called
        link,    // `file` is the new name
        remove,
        sync_folder,
        room
    };
    struct Asked {
        Operation operation;
        std::filesystem::path file;
        std::uint64_t at = 0, size = 0;  // of read and write

        bool is(Operation which, std::string_view name_ends) const {
            return operation == which && file.string().ends_with(name_ends);
        }
    };
    /// What an operation fails with instead of being done; no error: it is done. Called by any thread, one at
    /// a time, and must not use the disk.
    using Plan = std::function<std::error_code(const Asked&)>;

    explicit FailingDisk(Plan plan = {}) { state_->plan = std::move(plan); }
    void plan(Plan plan) {
        std::lock_guard lock(state_->mutex);
        state_->plan = std::move(plan);
    }
    void mend() { plan({}); }

    tl::expected<base::DiskFilePtr, std::error_code> open(const std::filesystem::path& file,
                                                          Access access) override {
        const bool creates = access == Access::create || access == Access::fresh;
        const auto operation = creates ? Operation::create : Operation::open;
        if (auto error = state_->ask({operation, file})) return tl::make_unexpected(error);
        auto opened = system_.open(file, access);
        if (!opened) return opened;
        return std::make_shared<File>(state_, file, std::move(*opened));
    }
    std::error_code make_folder(const std::filesystem::path& folder) override {
        auto error = state_->ask({Operation::make_folder, folder});
        return error ? error : system_.make_folder(folder);
    }
    tl::expected<std::vector<std::string>, std::error_code> names(
        const std::filesystem::path& folder) const override {
        if (auto error = state_->ask({Operation::names, folder})) return tl::make_unexpected(error);
        return system_.names(folder);
    }
    std::error_code rename(const std::filesystem::path& from, const std::filesystem::path& to) override {
        auto error = state_->ask({Operation::rename, from});
        return error ? error : system_.rename(from, to);
    }
    std::error_code link(const std::filesystem::path& file, const std::filesystem::path& name) override {
        auto error = state_->ask({Operation::link, name});
        return error ? error : system_.link(file, name);
    }
    std::error_code remove(const std::filesystem::path& file) override {
        auto error = state_->ask({Operation::remove, file});
        return error ? error : system_.remove(file);
    }
    std::error_code sync_folder(const std::filesystem::path& folder) override {
        auto error = state_->ask({Operation::sync_folder, folder});
        return error ? error : system_.sync_folder(folder);
    }
    tl::expected<std::uint64_t, std::error_code> room(const std::filesystem::path& folder) const override {
        if (auto error = state_->ask({Operation::room, folder})) return tl::make_unexpected(error);
        return system_.room(folder);
    }

private:
    struct State {
        std::mutex mutex;
        Plan plan;

        std::error_code ask(const Asked& asked) {
            std::lock_guard lock(mutex);
            return plan ? plan(asked) : std::error_code();
        }
    };

    class File final : public base::DiskFile {
    public:
        File(std::shared_ptr<State> state, std::filesystem::path name, base::DiskFilePtr file)
            : state_(std::move(state)), name_(std::move(name)), file_(std::move(file)) {}

        tl::expected<std::size_t, std::error_code> read(std::uint64_t at, char* to,
                                                        std::size_t size) const override {
            if (auto error = state_->ask({Operation::read, name_, at, size}))
                return tl::make_unexpected(error);
            return file_->read(at, to, size);
        }
        std::error_code write(std::uint64_t at, std::span<const std::string_view> pieces) override {
            std::uint64_t size = 0;
            for (const auto piece : pieces) size += piece.size();
            auto error = state_->ask({Operation::write, name_, at, size});
            return error ? error : file_->write(at, pieces);
        }
        std::error_code reserve(std::uint64_t size) override {
            auto error = state_->ask({Operation::reserve, name_, 0, size});
            return error ? error : file_->reserve(size);
        }
        std::error_code sync() override {
            auto error = state_->ask({Operation::sync, name_});
            return error ? error : file_->sync();
        }
        tl::expected<std::uint64_t, std::error_code> size() const override { return file_->size(); }

    private:
        const std::shared_ptr<State> state_;
        const std::filesystem::path name_;  // as it was opened
        const base::DiskFilePtr file_;
    };

    base::SystemDisk system_;
    const std::shared_ptr<State> state_ = std::make_shared<State>();
};

}  // namespace postern::tests
