// What each fuzz target shares: its entry point, and a way to say what must hold.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

namespace postern::fuzz {

inline void require(bool holds) {
    if (!holds) std::abort();
}

inline std::string_view text_of(const std::uint8_t* data, std::size_t size) {
    return {reinterpret_cast<const char*>(data), size};
}

/// Takes the first octet off; 0 when there is none.
inline std::uint8_t take_octet(std::string_view& input) {
    if (input.empty()) return 0;
    auto out = static_cast<std::uint8_t>(input.front());
    input.remove_prefix(1);
    return out;
}

/// Takes the octets up to the next LF off, and the LF.
inline std::string_view take_line(std::string_view& input) {
    std::size_t end = input.find('\n');
    std::string_view line = input.substr(0, end);
    input.remove_prefix(end == std::string_view::npos ? input.size() : end + 1);
    if (line.ends_with('\r')) line.remove_suffix(1);
    return line;
}

inline bool plain(std::string_view text) {
    for (char c : text)
        if (c < ' ' || c > '~') return false;
    return true;
}

}  // namespace postern::fuzz
