#include "agent/program/configuration.h"

#include <string>
#include <utility>

namespace postern::agent {
namespace {

OverridesInForce kept_overrides(base::Disk& disk, const std::filesystem::path& file, Log& log) {
    std::string trouble;
    auto overrides = std::make_shared<const Overrides>(load_overrides(disk, file, trouble));
    if (!trouble.empty())
        log.write(LogLevel::error, "trouble",
                  [&](LogLine& line) { line.add("where", "overrides").add("text", trouble); });
    return overrides;
}

}  // namespace

Configuration::Configuration(std::filesystem::path file, Settings settings, base::Disk& disk, Log& log)
    : disk_(disk),
      file_(std::move(file)),
      overrides_file_(settings.relay.state_dir / "overrides.json"),
      started_(std::make_shared<const Settings>(std::move(settings))),
      settings_(started_),
      overrides_(kept_overrides(disk, overrides_file_, log)) {}

SettingsOfFile Configuration::settings() const {
    const std::lock_guard lock(mutex_);
    return settings_;
}

OverridesInForce Configuration::overrides() const {
    const std::lock_guard lock(mutex_);
    return overrides_;
}

void Configuration::put(Settings settings) {
    auto next = std::make_shared<const Settings>(std::move(settings));
    const std::lock_guard lock(mutex_);
    settings_.swap(next);
}

void Configuration::put(Overrides overrides) {
    auto next = std::make_shared<const Overrides>(std::move(overrides));
    const std::lock_guard lock(mutex_);
    overrides_.swap(next);
}

tl::expected<void, std::string> Configuration::keep(const Overrides& overrides) const {
    return save_overrides(disk_, overrides_file_, overrides);
}

relay::SettingsPtr relay_settings(const Settings& settings, const Overrides& overrides) {
    return std::make_shared<const relay::Settings>(merged(settings.relay, overrides));
}

}  // namespace postern::agent
