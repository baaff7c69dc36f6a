// UTF-8 as RFC 3629 has it: shortest form, no surrogates, up to U+10FFFF.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace postern::base {

bool is_ascii(std::string_view text);

/// Takes the first character off `text`; nullopt, and nothing is taken, when `text` is empty or does not
/// begin with one.
std::optional<char32_t> take_character(std::string_view& text);

/// `character` must be one: below 0x110000 and no surrogate.
void append_character(std::string& out, char32_t character);

bool is_utf8(std::string_view text);

/// Whether `text` is UTF-8 without control characters, those of the second set (U+0080 to U+009F) included.
bool is_printable_utf8(std::string_view text);

/// The beginning of a text from anywhere, as a person may see it: at most so many octets, printable, with "?"
/// for what is not and "..." where it was cut.
std::string shown(std::string_view text, std::size_t most);

}  // namespace postern::base
