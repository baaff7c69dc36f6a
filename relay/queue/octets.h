// Numbers as the spool's records have them: little-endian, one behind the other.
#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace postern::relay {

/// Gives where the next one goes.
template <std::unsigned_integral T>
char* put_number(char* to, T value) {
    for (std::size_t at = 0; at < sizeof(T); ++at) *to++ = static_cast<char>(value >> (8 * at) & 0xff);
    return to;
}

/// Of the octets in front, which are taken away; there are as many.
template <std::unsigned_integral T>
T take_number(std::string_view& from) {
    T value = 0;
    for (std::size_t at = 0; at < sizeof(T); ++at)
        value = static_cast<T>(
            value | static_cast<T>(static_cast<T>(static_cast<unsigned char>(from[at])) << (8 * at)));
    from.remove_prefix(sizeof(T));
    return value;
}

}  // namespace postern::relay
