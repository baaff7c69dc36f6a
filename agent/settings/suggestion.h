// The name somebody probably meant, for messages about unknown names.
#pragma once

#include <string_view>
#include <vector>

namespace postern::agent {

/// The candidate with the smallest edit distance (insert, delete, replace, swap of neighbours) to `name`, or
/// "" when none is near enough to be a misspelling of it. `name` beyond 64 characters has no suggestion.
std::string_view nearest(std::string_view name, const std::vector<std::string_view>& candidates);

}  // namespace postern::agent
