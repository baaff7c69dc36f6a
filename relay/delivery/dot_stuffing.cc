#include "relay/delivery/dot_stuffing.h"

namespace postern::relay {

std::string stuff_dots(std::string_view content, bool& line_start) {
    std::string out;
    out.reserve(content.size() + content.size() / 64 + 16);
    for (std::size_t at = 0; at < content.size();) {
        if (line_start && content[at] == '.') out += '.';
        std::size_t lf = content.find('\n', at);
        std::size_t end = lf == std::string_view::npos ? content.size() : lf + 1;
        out += content.substr(at, end - at);
        line_start = lf != std::string_view::npos;
        at = end;
    }
    return out;
}

}  // namespace postern::relay
