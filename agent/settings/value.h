// What a key of the configuration file may have for a value.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <variant>
#include <vector>

namespace postern::agent {

/// The types a key may have, in the order of Shape.
using Pairs = std::vector<std::pair<std::string, std::string>>;
using Value =
    std::variant<bool, std::int64_t, std::string, std::vector<std::string>, Pairs, std::vector<std::int64_t>>;
enum class Shape : std::size_t { boolean, integer, text, texts, pairs, integers };

}  // namespace postern::agent
