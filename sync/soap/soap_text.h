// What must hold of an XML reply's bytes before a lenient parser may see them.
#pragma once

#include <string_view>

namespace postern::sync::soap {

/// Why the bytes are no XML we read, in words; "" when nothing speaks against them: UTF-8 (RFC 3629) without
/// control characters, references only to characters and the five predefined entities (XML 1.0 §4.6), no more
/// than `most_elements` elements and attributes, which bounds the memory of the tree.
std::string_view objection(std::string_view bytes, std::size_t most_elements);

}  // namespace postern::sync::soap
