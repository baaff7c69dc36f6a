// Header text as its writer meant it (RFC 2047): pure, for what is shown to people.
#pragma once

#include <string>
#include <string_view>

namespace postern::relay {

/// `text` with its encoded words in UTF-8, US-ASCII and ISO 8859-1 decoded, and without the space between two
/// of them; one of another charset, or that is none, stays as it is. Whatever comes of it may have control
/// characters.
std::string decoded_words(std::string_view text);

}  // namespace postern::relay
