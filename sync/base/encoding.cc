#include "sync/base/encoding.h"

#include <openssl/evp.h>

#include <algorithm>

#include "sync/base/ascii.h"

namespace postern::base {

namespace {

const unsigned char* start(std::string_view text) {
    return reinterpret_cast<const unsigned char*>(text.data());
}

/// -1 for what is no digit.
int hex_value(char c) {
    const auto at = lower_hex.find(lower(c));
    return at == lower_hex.npos ? -1 : static_cast<int>(at);
}

}  // namespace

std::string hex(std::string_view octets, std::string_view digits) {
    std::string out;
    out.reserve(2 * octets.size());
    for (const char c : octets) {
        const auto octet = static_cast<unsigned char>(c);
        out += digits[octet >> 4];
        out += digits[octet & 15];
    }
    return out;
}

std::string base64(std::string_view octets) {
    std::string out(4 * ((octets.size() + 2) / 3) + 1, '\0');  // 1: the NUL that is written behind it
    const int length = EVP_EncodeBlock(reinterpret_cast<unsigned char*>(out.data()), start(octets),
                                       static_cast<int>(octets.size()));
    out.resize(static_cast<std::size_t>(length));
    return out;
}

std::string base64url(std::string_view octets) {
    std::string out = base64(octets);
    std::replace(out.begin(), out.end(), '+', '-');
    std::replace(out.begin(), out.end(), '/', '_');
    out.erase(std::find(out.begin(), out.end(), '='), out.end());
    return out;
}

std::optional<std::string> from_base64(std::string_view text) {
    if (text.size() % 4 != 0) return std::nullopt;
    const std::size_t padding = text.ends_with("==") ? 2 : text.ends_with('=') ? 1 : 0;
    // The library's decoder skips white space and takes padding anywhere.
    const bool plain = std::all_of(text.begin(), text.end() - static_cast<std::ptrdiff_t>(padding),
                                   [](char c) { return is_letter_or_digit(c) || c == '+' || c == '/'; });
    if (!plain) return std::nullopt;
    std::string out(text.size() / 4 * 3 + 1, '\0');
    const int length = EVP_DecodeBlock(reinterpret_cast<unsigned char*>(out.data()), start(text),
                                       static_cast<int>(text.size()));
    if (length < 0) return std::nullopt;
    out.resize(static_cast<std::size_t>(length) - padding);
    return out;
}

std::string percent_encoded(std::string_view octets, std::string_view besides) {
    std::string out;
    for (const char& c : octets) {
        if (is_letter_or_digit(c) || std::string_view("-._~").find(c) != std::string_view::npos ||
            besides.find(c) != besides.npos)
            out += c;
        else
            out.append("%").append(hex({&c, 1}, upper_hex));
    }
    return out;
}

std::optional<std::string> percent_decoded(std::string_view text) {
    std::string out;
    for (std::size_t at = 0; at < text.size(); ++at) {
        if (text[at] != '%') {
            out += text[at];
            continue;
        }
        const int high = at + 2 < text.size() ? hex_value(text[at + 1]) : -1;
        const int low = at + 2 < text.size() ? hex_value(text[at + 2]) : -1;
        if (high < 0 || low < 0) return std::nullopt;
        out += static_cast<char>(high * 16 + low);
        at += 2;
    }
    return out;
}

}  // namespace postern::base
