// Which address family leads nowhere: pure values, the clock is the caller's.
#pragma once

#include <algorithm>
#include <chrono>

#include "relay/mail/message.h"

namespace postern::relay {

/// What was seen of IPv4 and IPv6, at one site or by this machine: a family that failed where the other one
/// worked is tried last for a while, longer each time (as RFC 8305 §4 does for clients). Times are steady.
class FamilyMemory {
public:
    /// `enough` failures in a row are needed before it is believed.
    explicit FamilyMemory(unsigned enough) : enough_(enough) {}

    /// Something that was begun at `begun` failed. What was under way together counts once.
    void failed(bool six, Time begun, Time now) {
        One& one = of(six);
        if (one.failures > 0 && begun <= one.known) return;
        one.known = now;
        if (++one.failures < enough_) return;
        unsigned times = std::min(one.failures - enough_, 6u);
        one.until = now + std::min<Time::duration>(longest, first * (1 << times));
    }
    void worked(bool six) { of(six) = One(); }
    bool doubtful(bool six, Time now) const { return of(six).until > now; }

private:
    struct One {
        unsigned failures = 0;
        Time known{}, until{};
    };
    static constexpr std::chrono::minutes first{2}, longest{60};

    One& of(bool six) { return six ? six_ : four_; }
    const One& of(bool six) const { return six ? six_ : four_; }

    unsigned enough_;
    One four_, six_;
};

}  // namespace postern::relay
