#include "memory_disk.h"

#include <algorithm>
#include <array>
#include <stdexcept>

namespace postern::tests {

namespace fs = std::filesystem;

namespace {

constexpr std::uint64_t sector = 512;

struct Octets {
    struct Write {
        std::uint64_t at;
        std::string octets;
    };
    std::string now, synced;
    std::vector<Write> unsynced;  // no more than a sector each
    bool whole = false;           // not these alone: the next sync takes all there is
    std::vector<std::pair<std::uint64_t, std::uint64_t>> unreadable;

    static void apply(std::string& to, std::uint64_t at, std::string_view octets) {
        if (to.size() < at + octets.size()) to.resize(at + octets.size());
        to.replace(at, octets.size(), octets);
    }
    void write(std::uint64_t at, std::string_view octets) {
        apply(now, at, octets);
        while (!octets.empty()) {
            const auto size = std::min<std::uint64_t>(octets.size(), sector - at % sector);
            unsynced.push_back({at, std::string(octets.substr(0, size))});
            octets.remove_prefix(size);
            at += size;
        }
    }
    void sync() {
        if (std::exchange(whole, false)) {
            synced = now;
        } else {
            synced.resize(now.size());
            for (const auto& one : unsynced) apply(synced, one.at, one.octets);
        }
        unsynced.clear();
    }
};
using OctetsPtr = std::shared_ptr<Octets>;

/// A name that was given or taken.
struct Naming {
    fs::path name;
    OctetsPtr octets;  // null: taken
    fs::path former;   // of a file that was renamed
};

void enter(std::map<fs::path, OctetsPtr>& names, const Naming& one) {
    if (!one.former.empty()) names.erase(one.former);
    if (one.octets)
        names[one.name] = one.octets;
    else
        names.erase(one.name);
}

}  // namespace

struct MemoryDisk::State {
    mutable std::mutex mutex;
    std::map<fs::path, OctetsPtr> names, synced;
    std::vector<Naming> unsynced;
    std::set<fs::path> folders;
    std::uint64_t room = std::uint64_t{1} << 40;
    std::map<Act, std::deque<std::error_code>> failures;
    std::map<Act, std::size_t> counts;

    std::error_code failure(Act act) {
        ++counts[act];
        auto& left = failures[act];
        if (left.empty()) return {};
        const auto out = left.front();
        left.pop_front();
        return out;
    }
    void name(Naming one) {
        enter(names, one);
        unsynced.push_back(std::move(one));
    }
    OctetsPtr at(const fs::path& file) const {
        const auto found = names.find(file);
        if (found == names.end()) throw std::runtime_error("there is no " + file.string());
        return found->second;
    }
};

namespace {

using Act = MemoryDisk::Act;

std::error_code missing() { return std::make_error_code(std::errc::no_such_file_or_directory); }

class File final : public base::DiskFile {
public:
    File(std::shared_ptr<MemoryDisk::State> state, OctetsPtr octets)
        : state_(std::move(state)), octets_(std::move(octets)) {}

    tl::expected<std::size_t, std::error_code> read(std::uint64_t at, char* to,
                                                    std::size_t size) const override {
        const std::lock_guard lock(state_->mutex);
        if (auto error = state_->failure(Act::read)) return tl::make_unexpected(error);
        const std::string& from = octets_->now;
        if (at >= from.size()) return 0;
        size = std::min<std::size_t>(size, from.size() - at);
        for (const auto& [begin, end] : octets_->unreadable)
            if (at < end && begin < at + size)
                return tl::make_unexpected(std::make_error_code(std::errc::io_error));
        std::copy_n(from.data() + at, size, to);
        return size;
    }
    std::error_code write(std::uint64_t at, std::span<const std::string_view> pieces) override {
        const std::lock_guard lock(state_->mutex);
        std::string all;
        for (const auto piece : pieces) all += piece;
        const auto error = state_->failure(Act::write);
        octets_->write(at, error ? std::string_view(all).substr(0, all.size() / 2) : all);
        return error;
    }
    std::error_code reserve(std::uint64_t size) override {
        const std::lock_guard lock(state_->mutex);
        if (auto error = state_->failure(Act::reserve)) return error;
        if (octets_->now.size() < size) octets_->now.resize(size);
        return {};
    }
    std::error_code sync() override {
        const std::lock_guard lock(state_->mutex);
        if (auto error = state_->failure(Act::sync)) return error;
        octets_->sync();
        return {};
    }
    tl::expected<std::uint64_t, std::error_code> size() const override {
        const std::lock_guard lock(state_->mutex);
        return octets_->now.size();
    }

private:
    const std::shared_ptr<MemoryDisk::State> state_;
    const OctetsPtr octets_;
};

}  // namespace

MemoryDisk::MemoryDisk() : state_(std::make_shared<State>()) {}
MemoryDisk::~MemoryDisk() = default;

tl::expected<base::DiskFilePtr, std::error_code> MemoryDisk::open(const fs::path& file, Access access) {
    const std::lock_guard lock(state_->mutex);
    if (auto error = state_->failure(Act::open)) return tl::make_unexpected(error);
    auto found = state_->names.find(file);
    if (access == Access::fresh && found != state_->names.end())
        return tl::make_unexpected(std::make_error_code(std::errc::file_exists));
    if (access == Access::create || access == Access::fresh) {
        // What is there is emptied, but keeps its old octets until that is synced.
        if (found == state_->names.end()) {
            state_->name({file, std::make_shared<Octets>(), {}});
            found = state_->names.find(file);
        } else {
            found->second->now.clear();
            found->second->unsynced.clear();
            found->second->whole = true;
        }
    }
    if (found == state_->names.end()) return tl::make_unexpected(missing());
    return std::make_shared<File>(state_, found->second);
}

std::error_code MemoryDisk::make_folder(const fs::path& folder) {
    const std::lock_guard lock(state_->mutex);
    state_->folders.insert(folder);
    return {};
}

tl::expected<std::vector<std::string>, std::error_code> MemoryDisk::names(const fs::path& folder) const {
    const std::lock_guard lock(state_->mutex);
    std::vector<std::string> out;
    for (const auto& [name, octets] : state_->names)
        if (name.parent_path() == folder) out.push_back(name.filename().string());
    if (out.empty() && !state_->folders.contains(folder)) return tl::make_unexpected(missing());
    return out;
}

std::error_code MemoryDisk::rename(const fs::path& from, const fs::path& to) {
    const std::lock_guard lock(state_->mutex);
    if (auto error = state_->failure(Act::rename)) return error;
    const auto found = state_->names.find(from);
    if (found == state_->names.end()) return missing();
    state_->name({to, OctetsPtr(found->second), from});
    return {};
}

std::error_code MemoryDisk::link(const fs::path& file, const fs::path& name) {
    const std::lock_guard lock(state_->mutex);
    if (auto error = state_->failure(Act::link)) return error;
    const auto found = state_->names.find(file);
    if (found == state_->names.end()) return missing();
    if (state_->names.contains(name)) return std::make_error_code(std::errc::file_exists);
    state_->name({name, OctetsPtr(found->second), {}});
    return {};
}

std::error_code MemoryDisk::remove(const fs::path& file) {
    const std::lock_guard lock(state_->mutex);
    if (auto error = state_->failure(Act::remove)) return error;
    if (!state_->names.contains(file)) return missing();
    state_->name({file, nullptr, {}});
    return {};
}

std::error_code MemoryDisk::sync_folder(const fs::path& folder) {
    const std::lock_guard lock(state_->mutex);
    if (auto error = state_->failure(Act::sync_folder)) return error;
    std::erase_if(state_->unsynced, [&](const Naming& one) {
        if (one.name.parent_path() != folder) return false;
        enter(state_->synced, one);
        return true;
    });
    return {};
}

tl::expected<std::uint64_t, std::error_code> MemoryDisk::room(const fs::path&) const {
    const std::lock_guard lock(state_->mutex);
    return state_->room;
}

void MemoryDisk::fail(Act act, std::errc error, std::size_t times) {
    const std::lock_guard lock(state_->mutex);
    state_->failures[act].assign(times, std::make_error_code(error));
}

void MemoryDisk::make_unreadable(const fs::path& file, std::uint64_t from, std::uint64_t to) {
    const std::lock_guard lock(state_->mutex);
    state_->at(file)->unreadable.emplace_back(from, to);
}

void MemoryDisk::make_readable(const fs::path& file) {
    const std::lock_guard lock(state_->mutex);
    state_->at(file)->unreadable.clear();
}

void MemoryDisk::set_room(std::uint64_t octets) {
    const std::lock_guard lock(state_->mutex);
    state_->room = octets;
}

std::size_t MemoryDisk::count(Act act) const {
    const std::lock_guard lock(state_->mutex);
    const auto found = state_->counts.find(act);
    return found == state_->counts.end() ? 0 : found->second;
}

void MemoryDisk::crash(const std::function<bool()>& keep) {
    const std::lock_guard lock(state_->mutex);
    for (const auto& one : state_->unsynced)
        if (keep()) enter(state_->synced, one);
    state_->unsynced.clear();
    state_->names.clear();
    state_->failures.clear();
    for (auto& [name, octets] : state_->synced) {
        auto left = std::make_shared<Octets>();
        left->now = octets->synced;
        for (const auto& one : octets->unsynced)
            if (keep()) Octets::apply(left->now, one.at, one.octets);
        // Where the size did not come to the disk there is nothing behind the old one.
        const bool grown = octets->now.size() > octets->synced.size() && keep();
        left->now.resize(grown ? octets->now.size() : octets->synced.size());
        left->synced = left->now;
        left->unreadable = octets->unreadable;
        octets = left;
        state_->names.emplace(name, left);
    }
}

void MemoryDisk::kill() {
    const std::lock_guard lock(state_->mutex);
    std::map<OctetsPtr, OctetsPtr> copies;
    const auto copy = [&](OctetsPtr& octets) {
        if (!octets) return;
        OctetsPtr& to = copies[octets];
        if (!to) to = std::make_shared<Octets>(*octets);
        octets = to;
    };
    for (auto* names : {&state_->names, &state_->synced})
        for (auto& [name, octets] : *names) copy(octets);
    for (auto& one : state_->unsynced) copy(one.octets);
    state_->failures.clear();
}

bool MemoryDisk::has(const fs::path& file) const {
    const std::lock_guard lock(state_->mutex);
    return state_->names.contains(file);
}

std::string MemoryDisk::octets(const fs::path& file) const {
    const std::lock_guard lock(state_->mutex);
    return state_->at(file)->now;
}

void MemoryDisk::put(const fs::path& file, std::string octets) {
    const std::lock_guard lock(state_->mutex);
    if (!state_->names.contains(file)) {
        const Naming one{file, std::make_shared<Octets>(), {}};
        enter(state_->names, one);
        enter(state_->synced, one);
    }
    const auto found = state_->at(file);
    found->now = std::move(octets);
    found->whole = true;
    found->sync();
}

void MemoryDisk::flip(const fs::path& file, std::uint64_t bit) {
    const std::lock_guard lock(state_->mutex);
    for (std::string* octets : {&state_->at(file)->now, &state_->at(file)->synced})
        if (bit / 8 < octets->size())
            octets->at(bit / 8) = static_cast<char>(octets->at(bit / 8) ^ (1 << bit % 8));
    state_->at(file)->whole = true;
}

}  // namespace postern::tests
