// A disk as one process sees it: some of what it asks for fails, and from the moment the process is killed
// nothing it does counts any more.
#pragma once

#include <algorithm>
#include <array>
#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <random>
#include <shared_mutex>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include "sync/base/disk.h"
#include "tests/unit/relay/memory_disk.h"

namespace postern::tests {

/// Any thread.
class MortalDisk final : public base::Disk {
public:
    /// What fails, of 1000 operations of a kind that can.
    struct Troubles {
        unsigned passing = 0;  // no descriptor to open something
        unsigned full = 0;     // no room to make or reserve something
        unsigned broken = 0;   // of all: EIO
        bool any() const { return passing + full + broken > 0; }
    };

    MortalDisk(MemoryDisk& disk, unsigned seed) : state_(std::make_shared<State>(disk, seed)) {}

    void trouble(const Troubles& troubles) {
        const std::unique_lock lock(state_->mutex);
        state_->troubles = troubles;
    }
    bool troubled() const { return state_->troubled; }  // anything failed so far
    bool broken() const { return state_->broken; }      // with EIO
    bool unread() const { return state_->unread; }      // octets of a file, so
    /// The process ends here. `then` is done before anything else touches the disk.
    void kill(const std::function<void()>& then) {
        const std::unique_lock lock(state_->mutex);
        state_->dead = true;
        then();
    }
    /// Or in front of one of what it asks for from now on: of the next one (1), or a later one. `then` is
    /// done on the thread that asks.
    void kill_before(std::size_t which, std::function<void()> then) {
        const std::lock_guard lock(state_->random_mutex);
        state_->left = which;
        state_->then = std::move(then);
    }
    bool dead() const { return state_->dead; }

    tl::expected<base::DiskFilePtr, std::error_code> open(const std::filesystem::path& file,
                                                          Access access) override {
        const auto lock = state_->enter();
        if (auto error = state_->failure(true, access == Access::create || access == Access::fresh))
            return tl::make_unexpected(error);
        auto out = state_->disk.open(file, access);
        if (!out) return out;
        return std::make_shared<File>(
            state_, std::move(*out),
            access == Access::fresh || file.filename().string().starts_with("check"));
    }
    std::error_code make_folder(const std::filesystem::path& folder) override {
        const auto lock = state_->enter();
        return state_->dead ? std::make_error_code(std::errc::io_error) : state_->disk.make_folder(folder);
    }
    tl::expected<std::vector<std::string>, std::error_code> names(
        const std::filesystem::path& folder) const override {
        const auto lock = state_->enter();
        if (auto error = state_->failure(true, false)) return tl::make_unexpected(error);
        return state_->disk.names(folder);
    }
    std::error_code rename(const std::filesystem::path& from, const std::filesystem::path& to) override {
        const auto lock = state_->enter();
        const auto error = state_->failure(false, false);
        return error ? error : state_->disk.rename(from, to);
    }
    std::error_code link(const std::filesystem::path& file, const std::filesystem::path& name) override {
        const auto lock = state_->enter();
        const auto error = state_->failure(false, true);
        return error ? error : state_->disk.link(file, name);
    }
    std::error_code remove(const std::filesystem::path& file) override {
        const auto lock = state_->enter();
        const auto error = state_->failure(false, false);
        return error ? error : state_->disk.remove(file);
    }
    std::error_code sync_folder(const std::filesystem::path& folder) override {
        const auto lock = state_->enter();
        const auto error = state_->failure(true, false);
        return error ? error : state_->disk.sync_folder(folder);
    }
    tl::expected<std::uint64_t, std::error_code> room(const std::filesystem::path& folder) const override {
        return state_->disk.room(folder);
    }

private:
    struct State {
        State(MemoryDisk& under, unsigned seed) : disk(under), random(seed) {}

        std::shared_lock<std::shared_mutex> enter() {
            std::function<void()> end;
            {
                const std::lock_guard lock(random_mutex);
                if (left > 0 && --left == 0) end = std::exchange(then, {});
                // Not written where nothing ends: another thread's kill() could be undone.
                if (end) dead = true;
            }
            if (end) {
                const std::unique_lock lock(mutex);
                dead = true;
                end();
            }
            return std::shared_lock(mutex);
        }
        std::error_code failure(bool opens, bool fills) {
            if (dead) return std::make_error_code(std::errc::io_error);
            if (!troubles.any()) return {};
            const std::lock_guard lock(random_mutex);
            const auto happens = [&](unsigned likely) { return random() % 1000 < likely; };
            std::errc out{};
            if (opens && happens(troubles.passing)) out = std::errc::too_many_files_open;
            if (fills && happens(troubles.full)) out = std::errc::no_space_on_device;
            if (happens(troubles.broken)) {
                out = std::errc::io_error;
                broken = true;
            }
            if (out == std::errc{}) return {};
            troubled = true;
            return std::make_error_code(out);
        }

        MemoryDisk& disk;
        std::shared_mutex mutex;
        std::mutex random_mutex;
        std::mt19937 random;
        Troubles troubles;
        std::atomic<bool> dead{false};
        std::size_t left = 0;  // operations until it dies; 0: it does not
        std::function<void()> then;
        std::atomic<bool> troubled{false}, broken{false}, unread{false};
    };
    class File final : public base::DiskFile {
    public:
        File(std::shared_ptr<State> state, base::DiskFilePtr file, bool fills)
            : state_(std::move(state)), file_(std::move(file)), fills_(fills) {}

        tl::expected<std::size_t, std::error_code> read(std::uint64_t at, char* to,
                                                        std::size_t size) const override {
            const auto lock = state_->enter();
            if (auto error = state_->failure(false, false)) {
                // One that is dead writes nothing down that it knew no better.
                if (!state_->dead) state_->unread = true;
                return tl::make_unexpected(error);
            }
            return file_->read(at, to, size);
        }
        std::error_code write(std::uint64_t at, std::span<const std::string_view> pieces) override {
            const auto lock = state_->enter();
            const auto error = state_->failure(false, fills_);
            if (!error) return file_->write(at, pieces);
            std::string all;
            for (const auto piece : pieces) all += piece;
            {
                const std::lock_guard random(state_->random_mutex);
                all.resize(state_->random() % (all.size() + 1));
            }
            const std::array some{std::string_view(all)};
            if (!state_->dead && !all.empty()) static_cast<void>(file_->write(at, some));
            return error;
        }
        std::error_code reserve(std::uint64_t size) override {
            const auto lock = state_->enter();
            const auto error = state_->failure(false, true);
            return error ? error : file_->reserve(size);
        }
        std::error_code sync() override {
            const auto lock = state_->enter();
            const auto error = state_->failure(false, false);
            return error ? error : file_->sync();
        }
        tl::expected<std::uint64_t, std::error_code> size() const override {
            const auto lock = state_->enter();
            if (auto error = state_->failure(false, false)) return tl::make_unexpected(error);
            return file_->size();
        }

    private:
        const std::shared_ptr<State> state_;
        const base::DiskFilePtr file_;
        const bool fills_;
    };

    const std::shared_ptr<State> state_;
};

}  // namespace postern::tests
