// From routes to sites: what was looked up, how long it is believed, and what keeps mail from a route.
#pragma once

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "relay/delivery/alarms.h"
#include "relay/delivery/destination.h"
#include "relay/delivery/environment.h"
#include "relay/delivery/names.h"
#include "relay/egress/pool.h"
#include "relay/tls_reports/tls_reports.h"

namespace postern::relay {

/// Owns the destinations and the sites they lead to, and forgets both. It moves no mail: whoever asks does
/// that. On the delivery loop; a pointer that was got before a co_await may be to one that is forgotten.
class Destinations {
public:
    using ByRoute = std::map<std::pair<RouteKey, TlsWish>, DestinationPtr>;
    using BySite = std::map<std::string, SitePtr>;

    Destinations(Environment& env, Names& names, Alarms& alarms, TlsReports& tls_reports)
        : env_(env), names_(names), alarms_(alarms), tls_reports_(tls_reports) {}

    DestinationPtr get(const RouteKey& route, TlsWish wish);
    /// Null for one that nobody has sent to. Without a wish: that the route as such is judged by.
    Destination* find(const RouteKey& route, TlsWish wish = TlsWish::none) const;
    const ByRoute& all() const { return destinations_; }
    const BySite& sites() const { return sites_; }

    /// Looks up where it leads. `found`: to `site` from now on. Else the trouble is known, and the pause
    /// behind it has begun, where waiting may help.
    struct Answer {
        bool stopped = false, found = false;
        Reply trouble;
    };
    net::awaitable<Answer> look_up(DestinationPtr destination, std::string asker);
    /// A site that is always busy hears of changes too.
    enum class Again : std::uint8_t {
        stopped,
        current,
        elsewhere,  // its routes lead to another by now, and are looked up again
        nowhere,    // nothing is known of it any more; `trouble` says why
    };
    net::awaitable<Again> look_up_again(SitePtr site, Reply& trouble);
    /// Nothing that was looked up is believed any more.
    void distrust();
    void reload();  // the same, of other settings

    /// Of the ways a job's route has (ways_of()) the one that leads to the site.
    RouteKey way_of(const Site& site, const Job& job) const;
    /// Whether the job's mail may go to that host. Sites are told apart by what may be connected to, so that
    /// it may; whoever changes what tells them apart finds out here, and not by mail that went to the wrong
    /// host.
    bool permits(const Site& site, const Job& job, const Target& target) const;

    /// None of our addresses may send there for now, though they may to others of its site.
    void put_off(const RouteKey& route, const EgressPool::Choice& choice);
    /// Mail was taken there. True when it had been put off.
    bool taken(const RouteKey& route);
    /// What is down is tried at once: that route, or with none each. Gives how many there were.
    std::size_t retry(const RouteKey& route);
    /// What nobody sends to is forgotten, and the oldest of what is not in use; `waiting` are the routes with
    /// mail. Names of strangers may make `many` of them in little time.
    bool many() const { return many_; }
    void forget(Time now, const std::set<RouteKey>& waiting);

private:
    SitePtr site(const std::string& key);
    void count_barred(const Destination& destination, const Targets& targets);
    net::awaitable<Targets> find(std::string asker, RouteKey route, TlsWish wish);
    void adopt(Site& site, const RouteKey& route, TlsWish wish, Targets targets);
    bool still_known(const Destination& destination, const Targets& targets) const;
    void failed(const DestinationPtr& destination, const Reply& trouble);

    Environment& env_;
    Names& names_;
    Alarms& alarms_;
    TlsReports& tls_reports_;
    ByRoute destinations_;
    BySite sites_;
    bool many_ = false;
};

}  // namespace postern::relay
