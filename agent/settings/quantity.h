// Durations and sizes as people write them: strings with units.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

#include <tl/expected.hpp>

namespace postern::agent {

/// "5d", "4h", "1h30m", "250ms": whole numbers with the units d, h, m, s, ms, largest first, each at most
/// once. The error says in words what is wrong.
tl::expected<std::chrono::milliseconds, std::string> parse_duration(std::string_view text);

/// "50MiB", "64KiB", "1GiB", "512B": a whole number with one of the units B, KiB, MiB, GiB. Bytes.
tl::expected<std::uint64_t, std::string> parse_size(std::string_view text);

/// The shortest text that parse_duration reads back as the same value; "0s" for zero.
std::string format_duration(std::chrono::milliseconds value);

/// The shortest text that parse_size reads back as the same value.
std::string format_size(std::uint64_t bytes);

}  // namespace postern::agent
