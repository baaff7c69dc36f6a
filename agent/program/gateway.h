// The running whole: relay, sync, log, counters and the status endpoint, wired together.
#pragma once

#include <chrono>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "agent/log/log.h"
#include "agent/settings/settings.h"
#include "sync/base/clock.h"
#include "sync/base/disk.h"

namespace postern::agent {

class Gateway {
public:
    /// Opens everything, starts nothing. `file` is read again by reload(). Throws std::exception in words an
    /// administrator understands.
    Gateway(std::filesystem::path file, Settings settings, Log& log, const base::Clock& clock,
            base::Disk& disk);
    ~Gateway();
    Gateway(const Gateway&) = delete;
    Gateway& operator=(const Gateway&) = delete;

    void start();

    /// Takes the changed file. The faults, if any, are logged; then nothing has changed. May take long: never
    /// on the thread that feeds the watchdog. Throws when the gateway is stopping.
    void reload();

    /// "ready, 12 messages in the queue"; asks relay's threads, so it hangs when they do.
    std::string summary();

    /// In order: listeners and sessions, deliveries, spool, directory, status endpoint. False when a client
    /// of the status endpoint could not be got rid of: the process must then end without destroying this.
    bool stop(std::chrono::seconds grace);

    /// Ends the grace of a stop() under way: what is in hand is cut off, what was committed stays. Any
    /// thread.
    void hurry();

private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

}  // namespace postern::agent
