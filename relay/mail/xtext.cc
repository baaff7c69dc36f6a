#include "relay/mail/xtext.h"

#include <cstdint>

#include "relay/mail/address.h"
#include "sync/base/ascii.h"
#include "sync/base/encoding.h"
#include "sync/base/utf8.h"

namespace postern::relay {

namespace {

constexpr std::string_view digits = base::upper_hex;
constexpr std::size_t type_max = 32;

void append_hex(std::string& out, std::uint32_t value) {
    if (value > 0xf) append_hex(out, value >> 4);
    out += digits[value & 0xf];
}

std::string encode_xtext(std::string_view text) {
    std::string out;
    for (const char& c : text) {
        if (c > ' ' && c <= '~' && c != '+' && c != '=') {
            out += c;
            continue;
        }
        out.append("+").append(base::hex({&c, 1}, digits));
    }
    return out;
}

/// "\x{HEX}": 2 to 6 digits without needless zeros. No control character: RFC 6533 keeps some of them out,
/// here none gets through.
std::optional<char32_t> take_escape(std::string_view& text) {
    std::size_t end = text.substr(0, 10).find('}');
    if (!text.starts_with("\\x{") || end == std::string_view::npos || end < 5) return std::nullopt;
    char32_t out = 0;
    for (char c : text.substr(3, end - 3)) {
        std::size_t digit = digits.find(c);
        if (digit == std::string_view::npos) return std::nullopt;
        out = out << 4 | static_cast<char32_t>(digit);
    }
    bool padded = text[3] == '0';
    if (padded || out > 0x10ffff || (out >= 0xd800 && out <= 0xdfff)) return std::nullopt;
    text.remove_prefix(end + 1);
    return out;
}

std::optional<std::string> decode_unitext(std::string_view text, bool utf8) {
    std::string out;
    while (!text.empty()) {
        char c = text.front();
        if (c == '+' || c == '=' || c == ' ') return std::nullopt;
        auto character = c == '\\' ? take_escape(text) : base::take_character(text);
        if (!character || (c != '\\' && !utf8 && *character > 0x7f)) return std::nullopt;
        base::append_character(out, *character);
    }
    if (out.empty() || !base::is_printable_utf8(out)) return std::nullopt;
    return out;
}

}  // namespace

std::optional<std::string> decode_xtext(std::string_view text) {
    std::string out;
    for (std::size_t at = 0; at < text.size(); ++at) {
        char c = text[at];
        if (c <= ' ' || c > '~' || c == '=') return std::nullopt;
        if (c == '+') {
            if (text.size() - at < 3) return std::nullopt;
            std::size_t high = digits.find(text[at + 1]), low = digits.find(text[at + 2]);
            if (high == std::string_view::npos || low == std::string_view::npos) return std::nullopt;
            auto octet = high << 4 | low;
            if (octet < ' ' || octet > '~') return std::nullopt;
            c = static_cast<char>(octet);
            at += 2;
        }
        out += c;
    }
    if (out.empty()) return std::nullopt;
    return out;
}

std::string OriginalRecipient::text() const {
    if (type != "utf-8") return type + ';' + encode_xtext(address);
    std::string out = type + ';';
    for (std::string_view rest = address; !rest.empty();) {
        auto character = base::take_character(rest);
        if (!character) break;
        bool plain = *character > ' ' && *character <= '~' && *character != '+' && *character != '=' &&
                     *character != '\\';
        if (plain) {
            out += static_cast<char>(*character);
        } else {
            out += "\\x{";
            append_hex(out, *character);
            out += '}';
        }
    }
    return out;
}

std::optional<OriginalRecipient> parse_original_recipient(std::string_view text, bool utf8) {
    std::size_t semicolon = text.find(';');
    if (semicolon == std::string_view::npos || semicolon == 0 || semicolon > type_max) return std::nullopt;
    OriginalRecipient out;
    out.type = base::lower(text.substr(0, semicolon));
    for (char c : out.type)
        if ((c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-') return std::nullopt;
    text.remove_prefix(semicolon + 1);
    auto address = out.type == "utf-8" ? decode_unitext(text, utf8) : decode_xtext(text);
    if (!address) return std::nullopt;
    out.address = std::move(*address);
    return out;
}

}  // namespace postern::relay
