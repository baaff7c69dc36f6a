// How much of what one primary says is kept: far more than any has, and no more than a machine can hold.
#pragma once

#include <cstddef>

namespace postern::sync {

inline constexpr std::size_t most_domains = 50'000;       // in its list, and other names of one of them
inline constexpr std::size_t most_addresses = 1'000'000;  // in one list of a domain
inline constexpr std::size_t most_octets = 160u << 20;    // of all names; an address counts 16 more

}  // namespace postern::sync
