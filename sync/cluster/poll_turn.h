// Whose turn it is to poll the primaries, as far as one gateway can know: never two at once.
#pragma once

#include <optional>
#include <string>

#include "sync/base/clock.h"
#include "sync/cluster/scripts.h"
#include "sync/turn.h"

namespace postern::sync {

/// A value.
class PollTurn {
public:
    /// What a new generation is called, should the server have none: the same until it is heard of.
    std::string proposal(const ClusterSelf& self) const;
    /// There is another connection: behind it may be an old copy, which gives a turn that somebody else has.
    void connected(base::Moment now);
    /// What the server said to a question that was `asked` then, with proposal().
    Turn heard(const Beat& beat, const ClusterSelf& self, base::Moment asked);
    /// Without a word from it for so long that the turn may be another's, nobody knows.
    Turn at(base::Moment now) const;

private:
    Turn turn_{Turn::Whose::unknown, 1, {}};
    base::Moment until_{};
    std::optional<base::Moment> begun_anew_;  // the server, as far as we know
    unsigned begun_ = 0;
};

}  // namespace postern::sync
