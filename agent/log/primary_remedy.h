// What to do about trouble with a primary.
#pragma once

#include <string_view>

#include "sync/trouble.h"

namespace postern::agent {

/// For an administrator; "" where nothing but waiting helps.
std::string_view remedy(sync::Trouble trouble);

}  // namespace postern::agent
