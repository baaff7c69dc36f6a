#include "sync/base/utf8.h"

namespace postern::base {

bool is_ascii(std::string_view text) {
    unsigned char bits = 0;
    for (char c : text) bits = static_cast<unsigned char>(bits | static_cast<unsigned char>(c));
    return bits < 0x80;
}

std::optional<char32_t> take_character(std::string_view& text) {
    if (text.empty()) return std::nullopt;
    auto octet = [&text](std::size_t at) { return static_cast<unsigned char>(text[at]); };
    std::size_t length = 1;
    char32_t out = octet(0), least = 0;
    if (out >= 0x80) {
        if (out >= 0xc2 && out <= 0xdf) {
            length = 2, least = 0x80, out &= 0x1f;
        } else if (out >= 0xe0 && out <= 0xef) {
            length = 3, least = 0x800, out &= 0x0f;
        } else if (out >= 0xf0 && out <= 0xf4) {
            length = 4, least = 0x10000, out &= 0x07;
        } else {
            return std::nullopt;
        }
        if (text.size() < length) return std::nullopt;
        for (std::size_t at = 1; at < length; ++at) {
            if ((octet(at) & 0xc0) != 0x80) return std::nullopt;
            out = out << 6 | (octet(at) & 0x3fu);
        }
        if (out < least || out > 0x10ffff || (out >= 0xd800 && out <= 0xdfff)) return std::nullopt;
    }
    text.remove_prefix(length);
    return out;
}

void append_character(std::string& out, char32_t character) {
    auto put = [&out](char32_t octet) { out += static_cast<char>(static_cast<unsigned char>(octet)); };
    auto more = [&](unsigned shift) { put(0x80u | (character >> shift & 0x3fu)); };
    if (character < 0x80) {
        put(character);
    } else if (character < 0x800) {
        put(0xc0u | character >> 6);
        more(0);
    } else if (character < 0x10000) {
        put(0xe0u | character >> 12);
        more(6);
        more(0);
    } else {
        put(0xf0u | character >> 18);
        more(12);
        more(6);
        more(0);
    }
}

bool is_utf8(std::string_view text) {
    while (!text.empty())
        if (!take_character(text)) return false;
    return true;
}

bool is_printable_utf8(std::string_view text) {
    while (!text.empty()) {
        auto character = take_character(text);
        if (!character || *character < 0x20 || (*character >= 0x7f && *character < 0xa0)) return false;
    }
    return true;
}

std::string shown(std::string_view text, std::size_t most) {
    std::string out;
    while (!text.empty()) {
        const std::string_view before = text;
        const auto character = take_character(text);
        if (!character) text.remove_prefix(1);
        const std::string_view one = before.substr(0, before.size() - text.size());
        const std::string_view seen = character && is_printable_utf8(one) ? one : std::string_view("?");
        if (out.size() + seen.size() > most) return out + "...";
        out += seen;
    }
    return out;
}

}  // namespace postern::base
