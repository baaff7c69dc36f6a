// Passes on what happens, and lets the watch hear what receivers answered.
#pragma once

#include "relay/observer.h"
#include "relay/volume/watch.h"
#include "sync/base/clock.h"

namespace postern::relay {

/// What it refers to outlives it. Threads as for any Observer.
class Answers final : public Observer {
public:
    Answers(Observer& next, Watch& watch, const base::Clock& clock)
        : next_(next), watch_(watch), clock_(clock) {}

    void on(const event::Accepted& what) override { next_.on(what); }
    void on(const event::Refused& what) override { next_.on(what); }
    void on(const event::BetweenPrimaries& what) override { next_.on(what); }
    void on(const event::Delivered& what) override;
    void on(const event::Deferred& what) override { next_.on(what); }
    void on(const event::Bounced& what) override;
    void on(const event::Removed& what) override { next_.on(what); }
    void on(const event::Reported& what) override { next_.on(what); }
    void on(const event::Held& what) override { next_.on(what); }
    void on(const event::Throttled& what) override { next_.on(what); }
    void on(const event::Unusual& what) override { next_.on(what); }
    void on(const event::NotBack& what) override { next_.on(what); }
    void on(const event::Listed& what) override { next_.on(what); }
    void on(const event::Unlisted& what) override { next_.on(what); }
    void on(const event::Rotated& what) override { next_.on(what); }
    void on(const event::TlsReport& what) override { next_.on(what); }
    void on(const event::Trouble& what) override { next_.on(what); }
    void on(const event::SessionClosed& what) override { next_.on(what); }

private:
    Observer& next_;
    Watch& watch_;
    const base::Clock& clock_;
};

}  // namespace postern::relay
