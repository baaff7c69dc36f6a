// What happens by chance, from one seed.
#pragma once

#include <cstdint>
#include <random>
#include <string_view>

namespace postern::simulation {

/// Made anew for each thing by its own name, so that one thing more or less leaves the others as they were.
class Random {
public:
    Random(std::uint64_t seed, std::string_view what, std::uint64_t number = 0) {
        std::uint64_t hash = seed * 0x9e3779b97f4a7c15 + number + 1;
        for (const char c : what) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3;
        engine_.seed(hash ^ (hash >> 29));
    }

    /// From 0 to `below` - 1.
    std::uint64_t pick(std::uint64_t below) { return below == 0 ? 0 : engine_() % below; }
    std::uint64_t between(std::uint64_t least, std::uint64_t most) { return least + pick(most - least + 1); }
    bool one_in(std::uint64_t times) { return pick(times) == 0; }
    std::uint64_t next() { return engine_(); }

private:
    std::mt19937_64 engine_;
};

}  // namespace postern::simulation
