// What the service manager is told (sd_notify(3)); nothing happens when there is none.
#pragma once

#include <chrono>
#include <optional>
#include <string>

namespace postern::agent::service {

void ready(const std::string& status);
void reloading();
void stopping();
void alive(const std::string& status);  // feeds the watchdog

/// How often the watchdog wants to be fed: half of its limit; nullopt without a watchdog.
std::optional<std::chrono::milliseconds> watchdog_interval();

}  // namespace postern::agent::service
