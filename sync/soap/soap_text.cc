#include "sync/soap/soap_text.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdint>

#include "sync/base/utf8.h"

namespace postern::sync::soap {

namespace {

/// Takes the character off the start of `text`; false when it is not one that XML allows.
bool take_xml_character(std::string_view& text) {
    const char first = text.front();
    if (static_cast<unsigned char>(first) >= 0x80) return base::take_character(text).has_value();
    text.remove_prefix(1);
    return first >= 0x20 || first == '\t' || first == '\n' || first == '\r';
}

/// Octets of the reference at the start of `text`; 0 when it stands for nothing we know. References to
/// control characters pass, because the primary's XML writer makes them; one to NUL would cut a text short.
std::size_t reference(std::string_view text) {
    const auto end = text.substr(0, 16).find(';');
    if (end == text.npos) return 0;
    std::string_view name = text.substr(1, end - 1);
    constexpr auto predefined = std::to_array<std::string_view>({"amp", "lt", "gt", "quot", "apos"});
    if (std::find(predefined.begin(), predefined.end(), name) != predefined.end()) return end + 1;
    if (!name.starts_with('#')) return 0;
    name.remove_prefix(1);
    const bool hexadecimal = name.starts_with('x');
    if (hexadecimal) name.remove_prefix(1);
    std::uint32_t value = 0;
    const auto [stop, error] =
        std::from_chars(name.data(), name.data() + name.size(), value, hexadecimal ? 16 : 10);
    const bool whole = error == std::errc() && stop == name.data() + name.size();
    const bool surrogate = value >= 0xd800 && value < 0xe000;
    return whole && value > 0 && value <= 0x10ffff && !surrogate ? end + 1 : 0;
}

/// The end of the stretch at the start of `text` in which neither markup nor references count: a comment, a
/// CDATA section, a processing instruction; 0 when there is none.
std::size_t verbatim(std::string_view text) {
    struct Stretch {
        std::string_view start, end;
    };
    for (const auto& [start, end] :
         {Stretch{"<!--", "-->"}, Stretch{"<![CDATA[", "]]>"}, Stretch{"<?", "?>"}}) {
        if (!text.starts_with(start)) continue;
        const auto found = text.find(end, start.size());
        return found == text.npos ? text.size() : found + end.size();
    }
    return 0;
}

}  // namespace

std::string_view objection(std::string_view bytes, std::size_t most_elements) {
    for (std::string_view rest = bytes; !rest.empty();)
        if (!take_xml_character(rest)) return "it is not UTF-8 text";
    std::size_t elements = 0;
    for (std::string_view rest = bytes; !rest.empty();) {
        std::size_t step = 1;
        if (rest.front() == '&') {
            step = reference(rest);
            if (step == 0) return "it has an entity of its own";
        } else if (rest.front() == '=' || (rest.front() == '<' && !rest.starts_with("</"))) {
            step = std::max(verbatim(rest), std::size_t{1});
            if (++elements > most_elements) return "it has more elements than allowed";
        }
        rest.remove_prefix(step);
    }
    return {};
}

}  // namespace postern::sync::soap
