#include "agent/program/service.h"

#include <systemd/sd-daemon.h>

#include <ctime>

#include "agent/log/log_line.h"

namespace postern::agent::service {
namespace {

void notify(std::string state, const std::string& status) {
    if (!status.empty()) state.append("\nSTATUS=").append(printable(status.substr(0, 500)));
    sd_notify(0, state.c_str());
}

}  // namespace

void ready(const std::string& status) { notify("READY=1", status); }

void reloading() {
    timespec now{};
    clock_gettime(CLOCK_MONOTONIC, &now);
    const auto microseconds =
        std::chrono::seconds(now.tv_sec) + std::chrono::microseconds(now.tv_nsec / 1000);
    notify("RELOADING=1\nMONOTONIC_USEC=" + std::to_string(std::chrono::microseconds(microseconds).count()),
           "");
}

void stopping() { notify("STOPPING=1", "stopping"); }

void alive(const std::string& status) { notify("WATCHDOG=1", status); }

std::optional<std::chrono::milliseconds> watchdog_interval() {
    std::uint64_t limit = 0;
    if (sd_watchdog_enabled(0, &limit) <= 0) return std::nullopt;
    return std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::microseconds(limit / 2));
}

}  // namespace postern::agent::service
