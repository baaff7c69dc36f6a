#include "sync/primary/words.h"

#include <algorithm>

#include "sync/limits.h"

namespace postern::sync {

std::string one_line(std::string_view text) {
    std::string line(text.substr(0, limits::words));
    std::replace_if(
        line.begin(), line.end(), [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; },
        ' ');
    return line;
}

Failure unreadable(std::string words) { return {Fault::unreadable, std::move(words), {}}; }

}  // namespace postern::sync
