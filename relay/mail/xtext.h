// The encodings of ENVID and ORCPT (RFC 3461 §4, RFC 6533 §3).
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace postern::relay {

/// nullopt when `text` is empty, not xtext, or stands for something else than printable ASCII and spaces:
/// what is decoded goes into reports and must not break their lines.
std::optional<std::string> decode_xtext(std::string_view text);

/// An ORCPT value taken apart. `address` is decoded: ASCII, or UTF-8 when `type` is "utf-8" (RFC 6533).
/// `type` is lower case.
struct OriginalRecipient {
    std::string type, address;

    /// As an ORCPT value that any server which offers DSN takes: xtext, or utf-8-addr-xtext.
    std::string text() const;
    bool operator==(const OriginalRecipient&) const = default;
};

/// nullopt when `text` is not an address type, a semicolon and an address in the encoding of that type. The
/// form with bare UTF-8 (utf-8-addr-unitext) is taken only when `utf8` allows it.
std::optional<OriginalRecipient> parse_original_recipient(std::string_view text, bool utf8);

}  // namespace postern::relay
