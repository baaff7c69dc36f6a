// How often credentials are shown to a primary: every sign-in may count with its intrusion detection.
#pragma once

#include "sync/base/token_bucket.h"

namespace postern::sync {

/// Three at once, then one a minute.
inline constexpr base::TokenBucket::Rate attempts_rate{std::chrono::minutes(1), std::chrono::minutes(3)};

}  // namespace postern::sync
