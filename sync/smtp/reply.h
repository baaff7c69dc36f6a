// Replies of an SMTP server that is asked whether an address exists, as pure functions over bytes (RFC 5321
// §4.2, RFC 2034, RFC 3463).
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace postern::sync::smtp {

struct Reply {
    int code = 0;
    std::optional<std::array<unsigned, 3>> status;  // the enhanced one of its last line
    std::string text;                               // its lines behind the code, each ended by "\n"

    bool positive() const { return code / 100 == 2; }
    /// Of an answer to EHLO: whether a line begins with this keyword (RFC 5321 §4.1.1.1).
    bool offers(std::string_view keyword) const;
    /// Made fit for one line of a log, and bounded.
    std::string words() const;
};

/// Bounded: lines of 2,048 octets, 100 of them.
class ReplyReader final {
public:
    enum class Step : std::uint8_t { more, complete, malformed };

    static constexpr std::size_t longest_line = 2048, most_lines = 100;

    /// What follows a complete reply, or a malformed one, is malformed: the server speaks out of turn.
    Step feed(std::string_view octets);
    Reply take() { return std::move(reply_); }

private:
    Step line(std::string_view text);

    std::string line_;  // as far as it has come
    std::size_t lines_ = 0;
    Step step_ = Step::more;
    Reply reply_;
};

/// What an answer to RCPT says of the address. Unknown: anything about the moment, the asker or the server's
/// policy, as well as what does not say what it is about.
enum class Existence : std::uint8_t { exists, absent, unknown };
Existence judge(const Reply& reply);

/// An address as it stands in a command (RFC 5321 §4.1.2), "" when no command can carry it. `local_part`
/// without quotes.
std::string path(std::string_view local_part, std::string_view domain);

}  // namespace postern::sync::smtp
