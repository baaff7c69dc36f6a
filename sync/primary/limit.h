// How often credentials are shown to a primary: every sign-in may count with its intrusion detection.
#pragma once

#include <chrono>
#include <optional>

#include "sync/base/clock.h"

namespace postern::sync {

/// At most three at once, then one a minute.
class Limit final {
public:
    /// Takes one; otherwise how long to wait for the next.
    std::optional<std::chrono::seconds> take(base::Moment now);

private:
    static constexpr int burst = 3;
    static constexpr std::chrono::seconds interval{60};
    base::Moment next_{};
};

}  // namespace postern::sync
