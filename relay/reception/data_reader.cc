#include "relay/reception/data_reader.h"

#include <cstring>

namespace postern::relay {

void DataReader::append_without_nuls(std::string& content, std::string_view octets) {
    for (std::size_t nul; (nul = octets.find('\0')) != std::string_view::npos;
         octets.remove_prefix(nul + 1)) {
        nuls_ = true;
        append(content, octets.substr(0, nul));
    }
    append(content, octets);
}

void DataReader::append(std::string& content, std::string_view octets) {
    if (octets.empty()) return;
    if (fresh_line_ && octets[0] == '.') dots_ = true;
    fresh_line_ = false;
    content.append(octets);
    size_ += octets.size();
}

void DataReader::newline(std::string& content, bool bare) {
    content.append("\r\n");
    size_ += 2;
    fresh_line_ = true;
    bare_newlines_ |= bare;
}

std::size_t DataReader::feed(std::string_view octets, std::string& content) {
    std::size_t at = 0;
    // Looked for once, not in each line: hardly any mail has one.
    const auto put =
        octets.find('\0') == std::string_view::npos ? &DataReader::append : &DataReader::append_without_nuls;
    while (at < octets.size() && !complete_) {
        char c = octets[at];
        switch (at_) {
            case At::line_start:
                if (c == '.') {
                    at_ = At::dot;
                    ++at;
                } else {
                    at_ = At::line;
                }
                break;

            case At::line: {
                // The common case, a line at a time: up to the LF, and the CR in front of it is the only one.
                const char* from = octets.data() + at;
                std::size_t left = octets.size() - at;
                const auto* lf = static_cast<const char*>(std::memchr(from, '\n', left));
                std::size_t span = lf != nullptr ? static_cast<std::size_t>(lf - from) : left;
                const auto* cr = static_cast<const char*>(std::memchr(from, '\r', span));
                if (cr != nullptr) {
                    auto length = static_cast<std::size_t>(cr - from);
                    (this->*put)(content, {from, length});
                    at_ = At::cr;
                    at += length + 1;
                } else {
                    (this->*put)(content, {from, span});
                    at += span;
                    if (lf != nullptr) {
                        newline(content, true);
                        ++at;
                    }
                }
                break;
            }

            case At::cr:
                if (c == '\n') {
                    newline(content, false);
                    at_ = At::line_start;
                    ++at;
                } else {
                    newline(content, true);
                    at_ = At::line;
                }
                break;

            case At::dot:  // a dot behind CRLF: dropped, unless it turns out to be the end
                if (c == '\r') {
                    at_ = At::dot_cr;
                    ++at;
                } else {
                    at_ = At::line;
                }
                break;

            case At::dot_cr:
                if (c == '\n') {
                    complete_ = true;
                    ++at;
                } else {
                    newline(content, true);
                    at_ = At::line;
                }
                break;
        }
    }
    return at;
}

}  // namespace postern::relay
