// Tells what was refused, so that one stranger can neither flood a log nor hide behind such a flood.
#pragma once

#include <array>
#include <cstdint>
#include <mutex>
#include <string_view>

#include "relay/observer.h"
#include "relay/reception/refusal.h"
#include "sync/base/token_bucket.h"

namespace postern::relay {

constexpr std::size_t rule_count = static_cast<std::size_t>(Rule::hops) + 1;

/// One for all sessions; any thread. A primary's refusals are told each. Of a stranger's session the first
/// ten are, the others are counted and told at its end, an event for each rule; and of all strangers together
/// five a second, after the first two hundred. What is beyond is told by flush(), an event for each rule.
class RefusalEvents {
public:
    static constexpr unsigned per_session = 10;
    static constexpr base::TokenBucket::Rate rate{std::chrono::milliseconds(200), std::chrono::seconds(40)};

    /// Of one session, on its thread.
    class Tally {
    public:
        bool room() { return told_ < per_session && ++told_ > 0; }
        void count(Rule rule) { ++more_[static_cast<std::size_t>(rule)]; }

    private:
        friend class RefusalEvents;
        unsigned told_ = 0;
        std::array<std::uint32_t, rule_count> more_{};
    };

    explicit RefusalEvents(Observer& observer) : observer_(observer) {}

    /// `tally`: of the session; null: there is none.
    void tell_of(const event::Refused& what, Rule rule, bool stranger, Tally* tally, base::Moment now);
    /// At the end of a session.
    void close(Tally& tally, std::string_view client, std::string_view helo, base::Moment now);
    void flush();

private:
    Observer& observer_;
    std::mutex mutex_;  // not while it is told
    base::TokenBucket room_{rate};
    std::array<std::uint64_t, rule_count> more_{};
};

}  // namespace postern::relay
