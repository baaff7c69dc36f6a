// What gateways that share what they know tell each other, as plain values: whoever knows something makes
// them and takes them, and the cluster carries them.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>

namespace postern::base {

/// Something that happened, or holds, at one gateway. `kind` says whose it is, who made it reads the text.
struct Fact {
    std::string kind, text;  // octets

    bool operator==(const Fact&) const = default;
};

/// How much of something one gateway has counted in a window of twelve steps: asked when it needs to know
/// what the others counted.
struct CountQuestion {
    std::string name;              // the same at all gateways
    std::chrono::seconds step{0};  // how long one is
    std::string steps;             // "148123=12,148124=3", numbers of steps since 1970 by the common clock
    std::uint64_t limit = 0;       // of all gateways together
    bool first = false;            // since this start: what was told before it, and is more, still counts
    std::uint32_t claim = 0;       // so many more are told as counted, as far as the limit allows
};

struct CountAnswer {
    std::string name;
    bool answered = false;      // else all below says nothing
    std::uint32_t granted = 0;  // of the claim
    std::string others;         // what the other gateways counted, as CountQuestion::steps
    std::string own;            // what counts as this one's, where it was the first question
};

/// What one of them knows of the others.
struct Company {
    unsigned gateways = 1;          // that were heard of lately, this one too
    bool shares = false;            // there may be others
    bool reachable = false;         // they can be told now, and answer at once
    std::chrono::seconds ahead{0};  // the common clock is, of this process's steady time

    bool operator==(const Company&) const = default;
};

}  // namespace postern::base
