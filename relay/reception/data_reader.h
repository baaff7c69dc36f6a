// The content behind DATA: from octets on the wire to lines as we send them (RFC 5321 §2.3.8, §4.1.1.4,
// §4.5.2).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace postern::relay {

/// Pure: no I/O. Only CRLF "." CRLF ends the data. A dot is unstuffed only behind a real CRLF, because a
/// sender that does not take a bare CR or LF for a line end does not stuff there either. A bare CR or LF
/// becomes CRLF in what comes out, so that none ever leaves; `bare_newlines` tells that there were some. NUL,
/// which no content may have (RFC 5322 §4) and some servers drop, is dropped, so that nothing can hide behind
/// it; `nuls` tells.
class DataReader {
public:
    /// Appends the content found in `octets` to `content` and gives how many octets were used: all of them,
    /// unless the end of the data is among them. What follows the end belongs to the next command.
    std::size_t feed(std::string_view octets, std::string& content);

    bool complete() const { return at_ == At::end; }
    std::uint64_t size() const { return size_; }  // octets appended so far
    bool bare_newlines() const { return bare_newlines_; }
    bool nuls() const { return nuls_; }
    bool dots() const { return dots_; }  // some line of the content begins with a dot

private:
    /// Where it is: in a line, behind what may become the end of one or of the data, or behind that.
    enum class At : std::uint8_t { line_start, cr, dot, dot_cr, line, end };

    std::size_t take_line(std::string_view octets, bool nuls, std::string& content);
    bool take_mark(char octet, std::string& content);
    void append(std::string_view octets, std::string& content);
    void append_without_nuls(std::string_view octets, std::string& content);
    void newline(bool bare, std::string& content);

    At at_ = At::line_start;
    bool fresh_line_ = true;  // the content's last line is empty so far
    bool bare_newlines_ = false, nuls_ = false, dots_ = false;
    std::uint64_t size_ = 0;
};

}  // namespace postern::relay
