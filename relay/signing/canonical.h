// The forms in which header fields and bodies are hashed, so that harmless changes on the way do not matter:
// "relaxed" of RFC 6376 §3.4. Pure; lines end with CRLF.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace postern::relay {

/// A field with all of its lines, its last CRLF left out or not: name in lower case, unfolded, each run of
/// white space one space, none at the ends of the value. Without CRLF at its end.
std::string relaxed_field(std::string_view field);

/// A body, piece by piece however it is cut: runs of white space become one space, none at the end of a line,
/// no empty lines at the end of the body.
class RelaxedBody {
public:
    /// Appends to `out` what is certain of it so far.
    void add(std::string_view octets, std::string& out);
    /// The body is over. Appends the CRLF of its last line, where that has none.
    void end(std::string& out);

private:
    void flush(std::string& out);

    std::size_t line_ends_ = 0;  // that were seen, and count when something follows
    bool space_ = false;         // white space was seen, and counts the same way
    bool line_open_ = false;     // what was written last was no CRLF
    bool cr_ = false;            // a CR was seen, and its LF not yet
};

}  // namespace postern::relay
