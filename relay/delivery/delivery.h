// Mail goes out. Two levels: what waits is filed by route (queue), what is ready stands in line at a site,
// one line for each of our addresses; a site is the set of hosts that routes lead to. README.md beside this
// file says who is who.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "relay/delivery/alarms.h"
#include "relay/delivery/connections.h"
#include "relay/delivery/contents.h"
#include "relay/delivery/destinations.h"
#include "relay/delivery/dispatch.h"
#include "relay/delivery/environment.h"
#include "relay/delivery/intake.h"
#include "relay/delivery/learnt.h"
#include "relay/delivery/listing.h"
#include "relay/delivery/names.h"
#include "relay/delivery/room.h"
#include "relay/delivery/signing.h"
#include "relay/delivery/sources.h"
#include "relay/delivery/workplace.h"
#include "relay/net/asio.h"
#include "relay/net/machine.h"
#include "relay/net/tls.h"
#include "relay/observer.h"
#include "relay/queue/queue.h"
#include "relay/settings.h"
#include "relay/tls_reports/tls_reports.h"
#include "relay/views.h"
#include "sync/directory/snapshot.h"

namespace postern::relay {

/// Everything here happens on the first of its loops; on the others live the connections, where there are
/// others. One thing: the wiring of this room, which owns its objects and keeps none of their invariants.
class Delivery {
public:
    Delivery(const std::vector<net::io_context*>& loops, const net::Machine& machine, Spool& spool,
             SettingsPtr settings, KeyringPtr keyring, std::shared_ptr<const sync::Snapshot> directory,
             Observer& observer, std::function<bool(const Envelope&)> suspected,
             std::shared_ptr<const Marks> marks, Returns& returns);

    void start();
    /// Takes up nothing more; resumes when the transactions in hand are over or, after `grace`, cut off. With
    /// any grace at all, those whose message is sent and not answered get two and a half minutes: who is cut
    /// off there may get it twice.
    net::awaitable<void> stop(std::chrono::seconds grace);
    /// All that is over.
    void hurry() { connections_.hurry(); }
    void reload(SettingsPtr settings, const net::PreparedTls& tls, KeyringPtr keyring,
                std::shared_ptr<const Marks> marks);
    void publish(std::shared_ptr<const sync::Snapshot> directory) { intake_.publish(std::move(directory)); }
    void committed(std::vector<StoredPtr> accepted, std::uint64_t changes, bool unstuck);

    Queue& queue() { return queue_; }
    /// Gives back what stands in line although an operator wants something else with it.
    void recall();
    void arm() { alarms_.arm(); }  // the timer, after something that may have changed when it is needed
    /// Destinations that are down are tried at once. Gives how many there were.
    std::size_t retry_destinations(const RouteKey& route) { return destinations_.retry(route); }
    bool forget_listings(const std::string& address, const std::string& site);
    /// For what is told (overview.h).
    const Workplace& workplace() const { return workplace_; }

private:
    void move_obsolete();
    void tick();
    void tidy(Time time);
    void forget(Time time);
    void persist(bool all);

    Environment env_;
    Learnt learnt_;
    Names names_;
    Contents contents_;
    Signing signing_;
    TlsReports tls_reports_;
    Sources sources_;
    Listing listing_;
    Intake intake_;
    Queue queue_;
    Alarms alarms_;
    Destinations destinations_;
    Room room_;
    Connections connections_;
    Workplace workplace_;
    Dispatch dispatch_;
    Time next_sweep_{}, next_persist_{};
};

}  // namespace postern::relay
