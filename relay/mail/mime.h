// The structure of MIME content (RFC 2045, RFC 2046): pure functions on views into it. Lines end with CRLF.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace postern::relay {

/// A message or a body part.
struct Entity {
    std::string_view header;  // up to and including the CRLF of its last field
    std::string_view body;    // behind the empty line
};
Entity split_entity(std::string_view text);

struct Field {
    std::string name;       // lower case
    std::string_view text;  // all of its lines, name and CRLF included

    std::string value() const;  // unfolded, without name and surrounding space
};
/// What is no field is left out.
std::vector<Field> fields_of(std::string_view header);

struct MediaType {
    std::string type, subtype;  // lower case
    std::string boundary;       // of a multipart, "" when it has none
};
/// Of a Content-Type field's value; nullopt when it does not begin with "type/subtype".
std::optional<MediaType> parse_media_type(std::string_view value);

struct MultipartSegment {
    std::string_view text;
    bool part = false;  // an entity; else a delimiter line with its line ends, the preamble or the epilogue
};
/// The body of a multipart in its segments, which together are `body`. nullopt when no line is a delimiter,
/// or when there are more than `parts_max` parts.
std::optional<std::vector<MultipartSegment>> split_multipart(std::string_view body, std::string_view boundary,
                                                             std::size_t parts_max);

}  // namespace postern::relay
