// Lines of words, as files that are kept have them: taken apart from the front.
#pragma once

#include <algorithm>
#include <charconv>
#include <string_view>
#include <system_error>

namespace postern::base {

/// Takes off what stands in front of `end`, and it; all of it where there is none.
constexpr std::string_view take_part(std::string_view& text, char end = ' ') {
    const std::size_t at = std::min(text.find(end), text.size());
    const auto out = text.substr(0, at);
    text.remove_prefix(std::min(at + 1, text.size()));
    return out;
}

/// False when it is not a decimal number, and nothing else, that `to` can hold.
template <class Number>
bool parse_number(std::string_view text, Number& to) {
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), to);
    return error == std::errc() && end == text.data() + text.size();
}

}  // namespace postern::base
