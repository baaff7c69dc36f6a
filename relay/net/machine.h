// The machine as the loops see it: time, the disk, the world outside, threads beside them, and chance. Given
// at construction, so that a simulation can put others in their place.
#pragma once

#include <asio/any_io_executor.hpp>
#include <cstdint>
#include <random>

#include "relay/net/outside.h"
#include "sync/base/clock.h"
#include "sync/base/disk.h"

namespace postern::relay::net {

/// Where work is done that waits for a disk or takes long (elsewhere.h).
struct Workers {
    asio::any_io_executor writing;     // what comes in
    asio::any_io_executor reading;     // what goes out, and passwords
    asio::any_io_executor converting;  // one at a time
    asio::any_io_executor keeping;     // one after the other
    asio::any_io_executor signing;     // what goes out
};

/// What it refers to outlives whoever was given it.
struct Machine {
    const base::Clock& clock;
    base::Disk& disk;
    Outside& outside;
    Workers workers;
    std::uint32_t seed = std::random_device{}();  // of what happens by chance
};

}  // namespace postern::relay::net
