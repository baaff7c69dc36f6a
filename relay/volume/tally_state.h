// Counts as lines of text: "r 1 0bob@example.com 148123=12 148124=3", what, of which period, whose, and how
// many in which of its steps. Pure.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "relay/volume/sliding_count.h"

namespace postern::relay {

struct CountLine {
    char unit = 'r';         // m: messages, r: recipients
    std::size_t period = 0;  // its number
    std::string key;
    std::vector<SlidingCount::Step> steps;
};

/// Nothing where nothing was counted.
void write_counts(std::string& out, std::string_view key, char unit, std::size_t period,
                  const SlidingCount& counts);
/// Takes one line off; nullopt when it is none.
std::optional<CountLine> read_counts(std::string_view& text);

}  // namespace postern::relay
