// When to try again: pure functions of settings and history (RFC 5321 §4.5.4.1).
#pragma once

#include <chrono>
#include <string>

#include "relay/mail/message.h"
#include "relay/settings.h"
#include "sync/base/clock.h"

namespace postern::relay {

/// The pause behind the `attempts`-th failed attempt (1 is the first): retry_first, doubled each time, at
/// most retry_max; `spread` in [0, 1) lengthens it by up to a tenth, so that what failed together is not
/// tried together.
std::chrono::milliseconds pause_after(const QueueSettings& settings, unsigned attempts, double spread);

/// The steady time, as exact as the spool keeps it: what is compared with a time read back must not be more
/// so.
Time now_exact(const base::Clock& clock);

/// Whether a due time that was read back is further ahead than any pause is: it was set by a clock that was
/// wrong, and means nothing.
bool of_another_clock(const QueueSettings& settings, Time due, Time now);

/// How long a message of a sender that is slowed down waits at the most.
constexpr std::chrono::hours restrained_most{24};

/// When a message's time is over, by the wall clock. It is given up when an attempt fails after that: of a
/// copy for the archive never.
Time expiry(const QueueSettings& settings, const Message& message);

/// How long a destination that cannot be reached is left alone after the `failures`-th time in a row: a few
/// seconds at first, for whoever is only restarting, then longer. Another thing than a message's pauses: one
/// connection tells for all the mail that waits.
std::chrono::milliseconds site_pause(const QueueSettings& settings, unsigned failures, double spread);

/// When held mail is due: not while anybody lives who holds it.
Time held_until();

}  // namespace postern::relay
