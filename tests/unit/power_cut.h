// The power fails at each step of what is written, in its turn: the old is there afterwards, or the new.
#pragma once

#include <catch2/catch.hpp>
#include <functional>
#include <memory>
#include <random>
#include <string>

#include "sync/base/disk.h"
#include "tests/unit/relay/memory_disk.h"

namespace postern::tests {

/// A disk until the power fails, before the step that was said; from then on nothing gets there any more.
class CutDisk final : public base::Disk {
public:
    CutDisk(MemoryDisk& disk, std::size_t steps, unsigned seed)
        : state_(std::make_shared<State>(disk, steps, seed)) {}

    bool cut() const { return state_->cut; }
    void power_fails() { state_->fail(); }

    tl::expected<base::DiskFilePtr, std::error_code> open(const std::filesystem::path& file,
                                                          Access access) override {
        if (!state_->goes_on()) return tl::make_unexpected(gone());
        auto opened = state_->disk.open(file, access);
        if (!opened) return opened;
        return std::make_shared<File>(state_, std::move(*opened));
    }
    std::error_code make_folder(const std::filesystem::path& folder) override {
        return state_->goes_on() ? state_->disk.make_folder(folder) : gone();
    }
    tl::expected<std::vector<std::string>, std::error_code> names(
        const std::filesystem::path& folder) const override {
        if (!state_->goes_on()) return tl::make_unexpected(gone());
        return state_->disk.names(folder);
    }
    std::error_code rename(const std::filesystem::path& from, const std::filesystem::path& to) override {
        return state_->goes_on() ? state_->disk.rename(from, to) : gone();
    }
    std::error_code link(const std::filesystem::path& file, const std::filesystem::path& name) override {
        return state_->goes_on() ? state_->disk.link(file, name) : gone();
    }
    std::error_code remove(const std::filesystem::path& file) override {
        return state_->goes_on() ? state_->disk.remove(file) : gone();
    }
    std::error_code sync_folder(const std::filesystem::path& folder) override {
        return state_->goes_on() ? state_->disk.sync_folder(folder) : gone();
    }
    tl::expected<std::uint64_t, std::error_code> room(const std::filesystem::path& folder) const override {
        if (!state_->goes_on()) return tl::make_unexpected(gone());
        return state_->disk.room(folder);
    }

private:
    struct State {
        MemoryDisk& disk;
        std::size_t left;
        std::minstd_rand random;
        bool cut = false;

        State(MemoryDisk& disk_, std::size_t steps, unsigned seed)
            : disk(disk_), left(steps), random(seed + 1) {}
        void fail() {
            if (std::exchange(cut, true)) return;
            disk.crash([this] { return random() % 2 == 0; });
        }
        bool goes_on() {
            if (left == 0) fail();
            if (!cut) --left;
            return !cut;
        }
    };
    using StatePtr = std::shared_ptr<State>;

    static std::error_code gone() { return std::make_error_code(std::errc::io_error); }

    class File final : public base::DiskFile {
    public:
        File(StatePtr state, base::DiskFilePtr file) : state_(std::move(state)), file_(std::move(file)) {}

        tl::expected<std::size_t, std::error_code> read(std::uint64_t at, char* to,
                                                        std::size_t size) const override {
            if (!state_->goes_on()) return tl::make_unexpected(gone());
            return file_->read(at, to, size);
        }
        std::error_code write(std::uint64_t at, std::span<const std::string_view> pieces) override {
            return state_->goes_on() ? file_->write(at, pieces) : gone();
        }
        std::error_code reserve(std::uint64_t size) override {
            return state_->goes_on() ? file_->reserve(size) : gone();
        }
        std::error_code sync() override { return state_->goes_on() ? file_->sync() : gone(); }
        tl::expected<std::uint64_t, std::error_code> size() const override {
            if (!state_->goes_on()) return tl::make_unexpected(gone());
            return file_->size();
        }

    private:
        const StatePtr state_;
        const base::DiskFilePtr file_;
    };

    const StatePtr state_;
};

/// How something is kept: made on a disk, of which nothing is there yet, and read again.
struct Keeping {
    std::function<bool(base::Disk&, const std::string&)> write;  // true: it said that it lasts
    std::function<std::string(base::Disk&)> read;                // "" where there is nothing
};

/// `before` and then `after` are written; "" for `before`: nothing was there.
inline void check_power_cuts(const Keeping& keeping, const std::string& before, const std::string& after) {
    constexpr unsigned seeds = 20;
    bool whole = false;
    for (std::size_t steps = 0; !whole; ++steps)
        for (unsigned seed = 0; seed < seeds; ++seed) {
            CAPTURE(steps, seed);
            MemoryDisk disk;
            if (!before.empty()) REQUIRE(keeping.write(disk, before));
            CutDisk until(disk, steps, seed);
            const bool lasts = keeping.write(until, after);
            whole = !until.cut();
            REQUIRE((lasts || !whole));
            until.power_fails();
            const std::string left = keeping.read(disk);
            if (left != after) REQUIRE((left == before && !lasts));
        }
}

}  // namespace postern::tests
