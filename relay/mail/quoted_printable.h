// The transfer encoding that leaves text readable (RFC 2045 §6.7).
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "sync/base/encoding.h"

namespace postern::relay {

/// `Out` takes texts and characters by `+=`. No line of what comes out begins with a dot, so that
/// Content::dots stays as true as it was.
template <class Out>
void append_quoted_printable(Out& out, std::string_view body) {
    constexpr std::size_t line_max = 76;  // RFC 2045 §6.7
    std::size_t length = 0;               // of the line in hand
    for (std::size_t at = 0; at < body.size(); ++at) {
        if (body.substr(at, 2) == "\r\n") {
            out += "\r\n";
            length = 0;
            ++at;
            continue;
        }
        char c = body[at];
        bool last = at + 1 == body.size() || body.substr(at + 1, 2) == "\r\n";
        bool blank = c == ' ' || c == '\t';
        // Room is kept for the soft line break, which counts as well.
        auto plain = [&] {
            return blank ? !last : c > ' ' && c <= '~' && c != '=' && (c != '.' || length > 0);
        };
        std::size_t width = plain() ? 1 : 3;
        if (length + width > line_max - 1) {
            out += "=\r\n";
            length = 0;
            width = plain() ? 1 : 3;
        }
        if (width == 1) {
            out += c;
        } else {
            out += '=';
            out += base::hex({&c, 1}, base::upper_hex);
        }
        length += width;
    }
}

}  // namespace postern::relay
