// Transparency for content sent by DATA (RFC 5321 §4.5.2).
#pragma once

#include <string>
#include <string_view>

namespace postern::relay {

/// Doubles the dot at the start of each line of `content`, which may be a piece of it: `line_start` says
/// whether the piece begins a line, and is set for the next piece.
std::string stuff_dots(std::string_view content, bool& line_start);

}  // namespace postern::relay
