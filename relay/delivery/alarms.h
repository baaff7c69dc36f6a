// When something is to be done: one timer for all sites and destinations, and for what else comes due.
#pragma once

#include <functional>
#include <optional>
#include <vector>

#include "relay/delivery/destination.h"
#include "relay/delivery/site.h"
#include "relay/net/asio.h"
#include "relay/net/timer.h"

namespace postern::relay {

/// Times are steady. A site or destination that is gone by then raises no alarm.
class Alarms {
public:
    struct Alarm {
        SitePtr site;
        DestinationPtr destination;
    };

    /// `others` says when something else is due; `tick` is called when anything is.
    Alarms(net::io_context& io, const base::Clock& clock, std::function<Time()> others,
           std::function<void()> tick);

    /// A site has one alarm that counts, the earliest: whoever answers it sees what else is to be done, and
    /// when.
    void set(const SitePtr& site, Time at);
    void set(const DestinationPtr& destination, Time at);
    /// After something that may have changed when `others` are due.
    void arm();
    /// `tick` has been called: the next time is set by arm(), once it is done.
    void disarm() { armed_ = Time::max(); }
    /// The next that is due at `now`; both pointers are null when its object is gone.
    std::optional<Alarm> take(Time now);
    void stop();  // for good

private:
    struct Entry {
        Time at;
        std::weak_ptr<Site> site;
        std::weak_ptr<Destination> destination;
        bool operator>(const Entry& other) const { return at > other.at; }
    };
    void push(Entry entry);

    const base::Clock& clock_;
    std::function<Time()> others_;
    std::function<void()> tick_;
    std::vector<Entry> heap_;  // the earliest first
    net::Timer timer_;
    Time armed_ = Time::max();
    bool stopped_ = false;
};

}  // namespace postern::relay
