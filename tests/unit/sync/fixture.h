// What the tests of sync share: a folder of their own, an observer that remembers, waiting for a condition.
#pragma once

#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <mutex>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "sync/base/clock.h"
#include "sync/base/disk.h"
#include "sync/directory/directory.h"
#include "sync/observer.h"
#include "sync/settings.h"

namespace postern::tests {

/// What goes over a real socket goes by it.
inline const base::SystemClock machine;
inline base::SystemDisk system_disk;

class Folder {
public:
    Folder() {
        std::string name = (std::filesystem::temp_directory_path() / "postern-sync-XXXXXX").string();
        if (::mkdtemp(name.data()) == nullptr) throw std::runtime_error("no temporary folder");
        path_ = name;
    }
    ~Folder() { std::filesystem::remove_all(path_); }
    Folder(const Folder&) = delete;
    Folder& operator=(const Folder&) = delete;

    const std::filesystem::path& path() const { return path_; }
    std::filesystem::path write(const std::string& name, const std::string& content) const {
        std::ofstream(path_ / name, std::ios::binary | std::ios::trunc) << content;
        return path_ / name;
    }
    std::string read(const std::string& name) const {
        std::ifstream in(path_ / name, std::ios::binary);
        return {std::istreambuf_iterator<char>(in), {}};
    }

private:
    std::filesystem::path path_;
};

/// Ends when the condition holds; the test runner's own patience is the limit.
template <class Condition>
void wait_for(Condition&& condition) {
    while (!condition()) std::this_thread::sleep_for(std::chrono::milliseconds(2));
}

class Recorder final : public sync::Observer {
public:
    void on(const sync::event::Synced& event) override { add("synced " + std::string(event.primary)); }
    void on(const sync::event::SyncFailed& event) override {
        add("failed " + std::string(event.primary) + " " + std::string(event.domain) + " " +
            std::string(event.reason));
    }
    void on(const sync::event::CredentialsRefused& event) override {
        add("refused " + std::string(event.primary) + " " + std::string(event.reason));
    }
    void on(const sync::event::NamesUnusable& event) override {
        add("unusable " + std::string(event.primary) + " " + std::string(event.domain) + " " +
            std::string(event.names));
    }
    void on(const sync::event::SuddenLoss& event) override {
        add((event.taken ? "taken " : "lost ") + std::string(event.primary) + " " +
            (event.domain.empty() ? "" : std::string(event.domain) + " ") + std::string(event.what) + " " +
            std::to_string(event.before) + " " + std::to_string(event.now));
    }
    void on(const sync::event::NotAdopted& event) override {
        add("not adopted " + std::string(event.primary) + " " + std::string(event.reason));
    }
    void on(const sync::event::CacheDamaged& event) override {
        add("damaged " + std::string(event.set_aside) + " " + std::string(event.reason));
    }
    void on(const sync::event::CacheUnwritable& event) override {
        add("unwritable " + std::string(event.reason));
    }

    std::vector<std::string> events() const {
        const std::lock_guard lock(mutex_);
        return events_;
    }
    /// How many begin with `prefix`.
    std::size_t count(const std::string& prefix) const {
        const std::lock_guard lock(mutex_);
        std::size_t found = 0;
        for (const std::string& event : events_) found += event.starts_with(prefix) ? 1 : 0;
        return found;
    }

private:
    void add(std::string event) {
        const std::lock_guard lock(mutex_);
        events_.push_back(std::move(event));
    }

    mutable std::mutex mutex_;
    std::vector<std::string> events_;
};

inline std::vector<std::string> names(const sync::AddressList& list, sync::Kind kind) {
    std::vector<std::string> found;
    list.each([&](sync::Kind each, std::string_view name) {
        if (each == kind) found.emplace_back(name);
    });
    return found;
}

inline sync::AddressList address_list(sync::Kind kind, const std::vector<std::string>& local_parts) {
    sync::AddressList list;
    for (const std::string& name : local_parts) list.add(kind, name);
    return list;
}

inline sync::Time at(long seconds) { return sync::Time(std::chrono::seconds(seconds)); }

/// A domain whose every part was read at that time.
inline sync::DomainRecord read_domain(const std::string& name, sync::Time time) {
    sync::DomainRecord record;
    record.spelling = name;
    record.listed = time;
    record.options.read = record.users.read = record.aliases.read = time;
    record.lists.read = record.resources.read = record.domain_aliases.read = time;
    return record;
}

}  // namespace postern::tests
