// Text compared and hashed without regard to the case of ASCII letters, as look-ups in a directory need it.
#pragma once

#include <cstdint>
#include <cstring>
#include <string_view>

namespace postern::sync::fold {

/// Up to eight octets from `at` on in one word, ASCII letters in lower case, zeros after the end: look-ups
/// are on the mail path, and a word at a time is several times faster than an octet.
inline std::uint64_t word_at(std::string_view text, std::size_t at) {
    std::uint64_t word = 0;
    if (text.size() - at >= sizeof word) {
        std::memcpy(&word, text.data() + at, sizeof word);
    } else {
        for (std::size_t i = text.size(); i > at; --i)
            word = word << 8 | static_cast<unsigned char>(text[i - 1]);
    }
    constexpr std::uint64_t ones = 0x0101010101010101u;
    const std::uint64_t low = word & (0x7f * ones);
    const std::uint64_t from_a = low + (0x80 - 'A') * ones, after_z = low + (0x7f - 'Z') * ones;
    return word | ((from_a ^ after_z) & ~word & (0x80 * ones)) >> 2;
}

/// Whether the first is the second, ASCII letters in any case.
inline bool same(std::string_view any_case, std::string_view lower_case) {
    if (any_case.size() != lower_case.size()) return false;
    for (std::size_t at = 0; at < any_case.size(); at += 8)
        if (word_at(any_case, at) != word_at(lower_case, at)) return false;
    return true;
}

/// The same for texts that differ in the case of ASCII letters only.
inline std::uint32_t hash(std::string_view text, std::uint32_t seed) {
    std::uint64_t value = (text.size() << 32 | seed) * 0x9e3779b97f4a7c15u;
    for (std::size_t at = 0; at < text.size(); at += 8) {
        value = (value ^ word_at(text, at)) * 0xd6e8feb86659fd93u;
        value ^= value >> 32;
    }
    return static_cast<std::uint32_t>((value * 0x9e3779b97f4a7c15u) >> 32);
}

}  // namespace postern::sync::fold
