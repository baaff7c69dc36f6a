// From a job to a line, and connections for it: what moves mail between routes, sites and source queues.
#pragma once

#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "relay/delivery/alarms.h"
#include "relay/delivery/destination.h"
#include "relay/delivery/site.h"
#include "relay/delivery/workplace.h"
#include "relay/net/asio.h"
#include "relay/queue/queue.h"

namespace postern::relay {

/// A job that was offered is in one place at a time until it is settled or given back: among the unresolved
/// of a destination, in a source queue, or with a courier. On the delivery loop.
///
/// offer() neither settles a job nor gives it back: what is known at once is posted. Everything else here
/// may.
class Dispatch {
public:
    /// Opens a connection of the site for what stands in that queue, and works until it is closed.
    using Send = std::function<net::awaitable<void>(const SitePtr& site, SourceQueue& from)>;

    Dispatch(Workplace& at, Send send) : at_(at), send_(std::move(send)) {}

    void offer(Job job);
    /// `way` is the job's own route, or one of the gateways that take turns for it.
    void enter(Job job, const RouteKey& way);
    /// At the site, for the address it leaves from.
    void line_up(Job job, const SitePtr& site);
    /// Everything in line looks for an address again.
    void redistribute(const SitePtr& site, SourceQueue& from);
    void redistribute_all();
    /// Refused before any mail was named, for a reason nobody knows: what is in line goes from another of our
    /// addresses, to be compared. False when there is none, or nothing to compare.
    bool suspect_source(const SitePtr& site, SourceQueue& from, const Reply& reply);

    /// Wakes or opens a connection when there is work for one more.
    void employ(const SitePtr& site);
    /// Who was told that there is no room is called, in turn.
    void refill(const SitePtr& site) { call_routes(site->routes_without_room); }
    /// A transaction went well, or something failed: Site::record_failure().
    void site_works(const SitePtr& site);
    void site_fails(const SitePtr& site, const Outcome& why, unsigned others, Time begun);
    /// The same outcome for all of them; but what another gateway can take goes there.
    void settle_all(std::vector<Job> jobs, const Outcome& why);

    void answer(const Alarms::Alarm& alarm, Time now);
    void resume();  // deliveries can be noted again
    void refill_all();
    /// Gives back what `which` says of what stands in line.
    void recall(const std::function<bool(const Job&)>& which);
    void stop();  // drops what stands in line, ends what rests

private:
    void look_up(const DestinationPtr& destination);
    net::awaitable<void> resolve(DestinationPtr destination);
    void unreachable(const DestinationPtr& destination, const Reply& trouble);
    void put_down(const SitePtr& site, std::string why, Time until);
    void call_routes(RoutesWithoutRoom& routes);
    void release(const SitePtr& site);
    void end_obstacles(const DestinationPtr& destination, Time now);

    Workplace& at_;
    Send send_;
};

}  // namespace postern::relay
