#include "relay/reception/data_reader.h"

#include <array>
#include <cstring>

namespace postern::relay {

void DataReader::append_without_nuls(std::string_view octets, std::string& content) {
    for (std::size_t nul; (nul = octets.find('\0')) != std::string_view::npos;
         octets.remove_prefix(nul + 1)) {
        nuls_ = true;
        append(octets.substr(0, nul), content);
    }
    append(octets, content);
}

void DataReader::append(std::string_view octets, std::string& content) {
    if (octets.empty()) return;
    if (fresh_line_ && octets[0] == '.') dots_ = true;
    fresh_line_ = false;
    content.append(octets);
    size_ += octets.size();
}

void DataReader::newline(bool bare, std::string& content) {
    content.append("\r\n");
    size_ += 2;
    fresh_line_ = true;
    bare_newlines_ |= bare;
}

/// The common case, a line at a time: up to the LF, and the CR in front of it is the only one. Gives how many
/// octets were used.
std::size_t DataReader::take_line(std::string_view octets, bool nuls, std::string& content) {
    const char* from = octets.data();
    const auto* lf = static_cast<const char*>(std::memchr(from, '\n', octets.size()));
    const std::size_t span = lf != nullptr ? static_cast<std::size_t>(lf - from) : octets.size();
    const auto* cr = static_cast<const char*>(std::memchr(from, '\r', span));
    const std::size_t length = cr != nullptr ? static_cast<std::size_t>(cr - from) : span;
    const std::string_view text = octets.substr(0, length);
    nuls ? append_without_nuls(text, content) : append(text, content);
    if (cr != nullptr)
        at_ = At::cr;
    else if (lf != nullptr)
        newline(true, content);
    return cr != nullptr || lf != nullptr ? length + 1 : length;
}

/// Outside of a line each place waits for one octet. Any other belongs to the line, behind what turns out to
/// be a bare CR where there was one. False when the octet is still to be used.
bool DataReader::take_mark(char octet, std::string& content) {
    struct Mark {
        char octet;
        At next;
    };
    static constexpr std::array<Mark, 4> marks{{
        {'.', At::dot},          // line_start: dropped, whether it is the end or was stuffed
        {'\n', At::line_start},  // cr
        {'\r', At::dot_cr},      // dot
        {'\n', At::end},         // dot_cr
    }};
    const Mark& mark = marks[static_cast<std::size_t>(at_)];
    const bool behind_cr = at_ == At::cr || at_ == At::dot_cr;
    const bool came = octet == mark.octet;
    at_ = came ? mark.next : At::line;
    if (behind_cr && at_ != At::end) newline(!came, content);
    return came;
}

std::size_t DataReader::feed(std::string_view octets, std::string& content) {
    // Looked for once, not in each line: hardly any mail has one.
    const bool nuls = octets.find('\0') != std::string_view::npos;
    std::size_t used = 0;
    while (used < octets.size() && at_ != At::end)
        used += at_ == At::line ? take_line(octets.substr(used), nuls, content)
                                : static_cast<std::size_t>(take_mark(octets[used], content));
    return used;
}

}  // namespace postern::relay
