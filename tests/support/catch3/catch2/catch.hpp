// What the tests use of Catch2 2, from Catch2 3.
#pragma once

#include <catch2/catch_all.hpp>

namespace Catch {

using Matchers::Contains;
using Matchers::EndsWith;
using Matchers::StartsWith;

}  // namespace Catch
