// SMTP replies as values: what we answer, and what a remote server answered (RFC 5321 §4.2, RFC 2034, RFC
// 3463).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace postern::relay {

/// RFC 3463 enhanced status code; category is its class, 0 when none was given.
struct EnhancedStatus {
    std::uint8_t category = 0;
    std::uint16_t subject = 0, detail = 0;

    explicit operator bool() const { return category != 0; }
    bool operator==(const EnhancedStatus&) const = default;
    std::string text() const;  // "5.1.1", "" for none
};

/// Parses "5.1.1" at the start of `text` when followed by a space or the end; nullopt otherwise.
std::optional<EnhancedStatus> parse_enhanced_status(std::string_view text);

struct Reply {
    std::uint16_t code = 0;  // 0: no reply was received
    EnhancedStatus status;
    std::string text;  // lines joined by '\n', without code and enhanced status

    bool positive() const { return code >= 200 && code < 400; }
    bool transient() const { return code >= 400 && code < 500; }
    /// Codes above 599 do not exist; who says one does not mean "try again".
    bool permanent() const { return code >= 500 && code < 700; }

    /// As sent on the wire: every line with the code (and status), ended by CRLF.
    std::string wire() const;
    /// One line for people and logs: "550 5.1.1 no such user"; lines joined by a space; not escaped.
    std::string line() const;

    bool operator==(const Reply&) const = default;
};

/// Collects a remote server's reply line by line, as it is meant: the code of the last line that has one
/// counts, lines without one are text. Bounded: at most 128 lines and 16 KiB of text are kept.
class ReplyParser {
public:
    /// stray: a line in front of the reply that has no code; no reply at all, unless more follows.
    enum class Step { more, complete, stray, malformed };

    /// One line without its line end. After `complete`, `take()` gives the reply and the parser starts anew.
    Step feed(std::string_view line);
    Reply take();

private:
    std::vector<std::string> lines_;  // without the codes
    std::uint16_t code_ = 0;
    std::size_t count_ = 0, octets_ = 0;
};

}  // namespace postern::relay
