// Whose turn it is to poll, where several gateways stand in front of the same primaries.
#pragma once

#include <cstdint>
#include <string>

namespace postern::sync {

/// Of several gateways that share what they know one polls the primaries.
struct Turn {
    /// unknown: nobody can say at present, so that each of them polls, and more slowly by as many as they
    /// are.
    enum class Whose : std::uint8_t { ours, anothers, unknown };
    Whose whose = Whose::ours;
    unsigned gateways = 1;
    std::string name{};  // of the gateway whose turn it is
    bool operator==(const Turn&) const = default;
};

}  // namespace postern::sync
