// What the tests use of Catch2 2, from Catch2 3.
#pragma once

#include <catch2/catch_all.hpp>

namespace Catch {

using Matchers::EndsWith;
using Matchers::StartsWith;

// Of a text: that of Catch2 3 is of any range.
inline Matchers::StringContainsMatcher Contains(const std::string& part) { return Matchers::ContainsSubstring(part); }

}  // namespace Catch
