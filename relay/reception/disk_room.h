// How much room there is on the spool's disk, without waiting for the disk.
#pragma once

#include <asio/any_io_executor.hpp>
#include <atomic>
#include <cstdint>

#include "relay/net/asio.h"
#include "relay/net/timer.h"
#include "relay/queue/spool.h"
#include "sync/base/clock.h"

namespace postern::relay {

/// The disk is asked twice a second on `files`; in between what is on its way there is counted.
class DiskRoom {
public:
    DiskRoom(net::io_context& io, const base::Clock& clock, Spool& spool, asio::any_io_executor files);

    /// Looks again and again until stop(), both on the loop it was given.
    net::awaitable<void> watch();
    void stop();

    // Any thread.
    /// So much is on its way to the disk, which does not show it yet.
    void taken(std::uint64_t octets) { taken_ += octets; }
    std::uint64_t octets() const;

private:
    Spool& spool_;
    asio::any_io_executor files_;
    net::Timer tick_;
    bool stopped_ = false;
    std::atomic<std::uint64_t> free_;                   // a moment ago
    std::atomic<std::uint64_t> taken_ = 0, known_ = 0;  // since the start, and what `free_` knows of it
};

}  // namespace postern::relay
