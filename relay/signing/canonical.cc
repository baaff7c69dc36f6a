#include "relay/signing/canonical.h"

#include <algorithm>

#include "sync/base/ascii.h"

namespace postern::relay {

namespace {

bool is_space(char c) { return c == ' ' || c == '\t'; }

}  // namespace

std::string relaxed_field(std::string_view field) {
    const std::size_t colon = field.find(':');
    std::string out = base::lower(field.substr(0, colon));
    while (!out.empty() && is_space(out.back())) out.pop_back();
    out += ':';
    if (colon == std::string_view::npos) return out;
    const std::size_t begin = out.size();
    bool space = false;
    for (const char c : field.substr(colon + 1)) {
        if (c == '\r' || c == '\n') continue;
        if (is_space(c)) {
            space = true;
            continue;
        }
        if (space && out.size() > begin) out += ' ';
        space = false;
        out += c;
    }
    return out;
}

/// Something follows.
void RelaxedBody::flush(std::string& out) {
    for (; line_ends_ > 0; --line_ends_) out += "\r\n";
    if (space_) out += ' ';
    space_ = false;
    line_open_ = true;
}

void RelaxedBody::add(std::string_view octets, std::string& out) {
    while (!octets.empty()) {
        const char c = octets.front();
        if (cr_) {
            cr_ = false;
            if (c == '\n') {
                space_ = false;
                ++line_ends_;
                octets.remove_prefix(1);
                continue;
            }
            flush(out);
            out += '\r';
        }
        if (c == '\r' || is_space(c)) {
            cr_ = c == '\r';
            space_ = space_ || !cr_;
            octets.remove_prefix(1);
            continue;
        }
        const auto end = std::find_if(octets.begin(), octets.end(),
                                      [](char one) { return one == '\r' || one == ' ' || one == '\t'; });
        const auto size = static_cast<std::size_t>(end - octets.begin());
        flush(out);
        out += octets.substr(0, size);
        octets.remove_prefix(size);
    }
}

void RelaxedBody::end(std::string& out) {
    if (cr_) {
        flush(out);
        out += '\r';
    }
    // An empty body stays empty (RFC 6376 §3.4.4): no white space alone, no line end.
    if (line_open_) out += "\r\n";
    line_ends_ = 0;
    space_ = line_open_ = cr_ = false;
}

}  // namespace postern::relay
