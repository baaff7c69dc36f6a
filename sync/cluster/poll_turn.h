// Whose turn it is to poll the primaries, as far as one gateway can know: never two at once.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "sync/base/clock.h"
#include "sync/cluster/scripts.h"
#include "sync/turn.h"

namespace postern::sync {

/// A value.
class PollTurn {
public:
    /// What the server said to a question that was `asked` then, and in which `proposed` was said for a new
    /// generation.
    Turn heard(const Beat& beat, const ClusterSelf& self, std::string_view proposed, base::Moment asked);
    /// Without a word from it for so long that the turn may be another's, nobody knows.
    Turn at(base::Moment now) const;

private:
    Turn turn_{Turn::Whose::unknown, 1, {}};
    base::Moment until_{};
    std::optional<base::Moment> begun_anew_;  // the server, as we saw
};

}  // namespace postern::sync
