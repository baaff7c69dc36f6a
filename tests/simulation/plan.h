// What happens in a simulated time, as a list that can be cut shorter.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

#include "tests/simulation/outside.h"

namespace postern::simulation {

enum class Deed : std::uint8_t {
    traffic,      // a connection of the primary's
    mood,         // of a host or the name servers, for a while
    power_cut,    // now, or soon, in the middle of something: what was not synced may be lost
    kill,         // the same with kill -9
    restart,      // asked for
    damage,       // a bit of what is on the disk is another one
    disk,         // fails for a while
    descriptors,  // there are none for a while
    wall,         // somebody sets the clock
    hold,
    release,
    retry,
    remove,  // one message
    bounce,  // one message
    reload,
};

struct Planned {
    std::chrono::milliseconds at;
    Deed deed;
    std::uint64_t number;  // what is by chance about it follows from this
};

struct Plan {
    std::uint64_t seed = 0;
    unsigned sites = 0;
    std::vector<Planned> deeds;  // by time
};

Plan plan_of(std::uint64_t seed);
std::string text_of(const Planned& planned);

}  // namespace postern::simulation
