// What is in force of the configuration: the file's settings, and what operators have laid over them.
#pragma once

#include <filesystem>
#include <memory>
#include <mutex>
#include <string>

#include "agent/log/log.h"
#include "agent/settings/overrides.h"
#include "agent/settings/settings.h"
#include "sync/base/disk.h"

namespace postern::agent {

using SettingsOfFile = std::shared_ptr<const Settings>;
using OverridesInForce = std::shared_ptr<const Overrides>;

/// Values that are replaced as a whole. Any thread.
class Configuration {
public:
    /// With the overrides as they were when the gateway ended. Throws std::runtime_error as load_overrides().
    Configuration(std::filesystem::path file, Settings settings, base::Disk& disk, Log& log);

    const std::filesystem::path& file() const { return file_; }
    /// What runs, of what only a restart can change.
    const Settings& started() const { return *started_; }

    SettingsOfFile settings() const;
    OverridesInForce overrides() const;

    /// Held from reading what is in force until its successor is put: one reload or change at a time.
    std::mutex& changing() { return changing_; }
    void put(Settings settings);
    void put(Overrides overrides);
    /// For the next start, before they are put. Words when they cannot be kept.
    tl::expected<void, std::string> keep(const Overrides& overrides) const;

private:
    base::Disk& disk_;
    const std::filesystem::path file_, overrides_file_;
    const SettingsOfFile started_;
    std::mutex changing_;
    mutable std::mutex mutex_;  // over the two below, while they are copied
    SettingsOfFile settings_;
    OverridesInForce overrides_;
};

relay::SettingsPtr relay_settings(const Settings& settings, const Overrides& overrides);

}  // namespace postern::agent
