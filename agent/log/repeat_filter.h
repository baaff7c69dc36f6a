// What many could make the log repeat.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>

namespace postern::agent {

/// Lets the first of a kind pass, then one in ten minutes. Kinds beyond the most there may be count as one.
/// One thread at a time.
class RepeatFilter {
public:
    using Time = std::chrono::steady_clock::time_point;
    static constexpr std::size_t most_kinds = 64;
    static constexpr std::chrono::minutes interval{10};

    /// How often there was one since the last that passed, this one included; nullopt: it does not pass.
    std::optional<std::uint64_t> pass(std::string_view kind, Time now);

private:
    struct Record {
        Time passed;
        std::uint64_t since = 0;
    };
    std::map<std::string, Record, std::less<>> kinds_;
};

}  // namespace postern::agent
