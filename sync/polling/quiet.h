// When a primary is not to be asked about single addresses: a value. Whoever keeps it tells it what happened.
#pragma once

#include "sync/base/clock.h"
#include "sync/directory/verdict.h"
#include "sync/primary/primary.h"

namespace postern::sync {

/// After a failure that concerns the primary as a whole it is left alone for some seconds, or as long as it
/// asks for within reason; after a refusal of the credentials for an hour, or until a reading of the
/// directory went well with them; as long as the readings find them refused, altogether.
class Quiet {
public:
    bool over(base::Moment now) const { return !refused_ && now >= until_; }

    void failed(const Failure& failure, base::Moment now, Time wall);
    /// What the readings have shown: whether the credentials are refused, and when they went well last.
    void heard(bool refused, Time last_success);

private:
    base::Moment until_{};
    bool refused_ = false;  // as heard
    Time refused_at_{};     // by our own sign-in; epoch: it was not
};

}  // namespace postern::sync
