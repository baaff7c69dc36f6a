// When one primary is polled next: a value. Whoever keeps it tells it what happened, and gives it the time
// and the chance.
#pragma once

#include <algorithm>
#include <chrono>
#include <optional>

#include "sync/base/clock.h"

namespace postern::sync {

/// Between two attempts with credentials that were rejected, unless something changes.
constexpr std::chrono::seconds rejected_pause = std::chrono::hours(1);

/// After a round that went well the next begins `poll_every` later, after one that failed within 15 s, which
/// grows to `poll_every` with each that fails behind it. A pause is spread over 90 to 110 % by `chance`, in
/// [0, 1), so that primaries are not all polled at once; it is never shorter than the primary asked for with
/// Retry-After, of which limits::retry_after counts.
class Schedule {
public:
    Schedule() = default;
    /// The first round is due at once.
    Schedule(base::Moment now, std::chrono::seconds poll_every) : poll_every_(poll_every), due_(now) {}

    /// Of the pauses that begin from now on.
    void set_pause(std::chrono::seconds poll_every) { poll_every_ = poll_every; }

    /// When a round begins, or goes on.
    base::Moment due() const { return due_; }

    /// A round is wanted now, or as soon as Retry-After allows; whether credentials were rejected does not
    /// matter.
    void request(base::Moment now);
    /// Another round is wanted behind the one under way: at once, when that goes well.
    void request_follow_up() { follow_up_requested_ = true; }

    /// A round would be in vain: the credentials were rejected less than `rejected_pause` ago, and no round
    /// was requested since.
    bool in_vain(base::Moment now) const;
    /// It is put off, until it is time to look whether there are other credentials.
    void put_off(base::Moment now);

    /// The round begins. Gives whether it was requested.
    bool begin();
    /// It goes on then.
    void go_on(base::Moment at) { due_ = at; }
    /// The credentials were taken.
    void accepted() { rejected_until_.reset(); }

    // What became of it.
    void succeeded(base::Moment now, double chance);
    void failed(base::Moment now, std::optional<std::chrono::seconds> retry_after, double chance);
    void rejected(base::Moment now);  // the credentials
    void interrupted(base::Moment now) { due_ = now + poll_every_; }

    /// The rounds are somebody else's for a while, and so are those that were wanted.
    void leave() { requested_ = follow_up_requested_ = false; }
    /// All was read so long ago, by whomever; nullopt: nobody knows. The next round is due as behind one that
    /// ended then, not earlier than after a failure of ours, and as requested where it was.
    void resume(base::Moment now, std::optional<base::Moment::duration> ago, double chance);

private:
    std::chrono::milliseconds pause(double chance) const;
    std::chrono::seconds usual_pause() const { return std::max(poll_every_, std::chrono::seconds(1)); }

    std::chrono::seconds poll_every_{0};
    base::Moment due_{};
    base::Moment earliest_{};  // for a requested round: Retry-After
    std::optional<base::Moment> rejected_until_;
    unsigned failures_ = 0;  // rounds in a row
    bool requested_ = false, follow_up_requested_ = false;
};

}  // namespace postern::sync
