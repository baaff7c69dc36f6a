// All connections of all sites: how many there are, who may have another, and who waits for one.
#pragma once

#include <cstddef>
#include <deque>
#include <functional>
#include <list>
#include <memory>

#include "relay/delivery/client.h"
#include "relay/delivery/environment.h"
#include "relay/delivery/newcomers.h"
#include "relay/delivery/site.h"
#include "relay/net/gate.h"

namespace postern::relay {

/// What is going on. Connections share it: at the end of the process they may outlive everything else here.
struct Traffic {
    Traffic(net::io_context& io, const base::Clock& clock) : transactions(io, clock) {}

    std::list<Client*> clients;   // as they were made
    net::Gate transactions;       // inside is whoever sends
    std::size_t connections = 0;  // or attempts at one
    std::size_t sites = 0;        // that have any
};
using TrafficPtr = std::shared_ptr<Traffic>;

/// The place of one connection among those of its source queue, its site and all: taken before it is opened,
/// given back when this goes.
class ConnectionSlot {
public:
    ConnectionSlot(SitePtr site, SourceQueue& queue, TrafficPtr traffic);
    ~ConnectionSlot();
    ConnectionSlot(const ConnectionSlot&) = delete;
    ConnectionSlot& operator=(const ConnectionSlot&) = delete;

    /// An attempt to open it goes on until this goes.
    class Opening {
    public:
        explicit Opening(ConnectionSlot& slot) : slot_(slot) {}
        ~Opening() { slot_.end_opening(); }
        Opening(const Opening&) = delete;
        Opening& operator=(const Opening&) = delete;

    private:
        ConnectionSlot& slot_;
    };
    /// It was closed, and is opened once more.
    void reopen();

private:
    void end_opening();

    SitePtr site_;
    SourceQueue& queue_;
    TrafficPtr traffic_;
    bool opening_ = false;
};

/// A transaction that is going on: its recipients are marked in their message.
class Sending {
public:
    Sending(Traffic& traffic, const Job& job);
    ~Sending();
    Sending(const Sending&) = delete;
    Sending& operator=(const Sending&) = delete;

private:
    void mark(bool going_on);

    net::Gate::Pass pass_;
    QueuedPtr message_;
    std::vector<std::uint16_t> recipients_;
};

/// A connection that stop() knows of.
class Known {
public:
    Known(TrafficPtr traffic, Client& client);
    ~Known();
    Known(const Known&) = delete;
    Known& operator=(const Known&) = delete;

private:
    TrafficPtr traffic_;
    const std::list<Client*>::iterator place_;
};

/// Used on the delivery loop. Sites that nothing good is known of have a part of all connections (Newcomers),
/// and who waits for one is called in turn.
class Connections {
public:
    explicit Connections(Environment& env) : env_(env) {}

    void reload();  // the limits
    const TrafficPtr& traffic() const { return traffic_; }

    /// Whether the site may open one more; if not, it is called when that may be so. A connection that rests
    /// is closed for it.
    bool grant(const SitePtr& site);
    /// One of the site's is gone.
    void closed(Site& site);
    /// Who waits, in turn, as long as there is room: each of them asks again.
    void call_next(const std::function<void(const SitePtr&)>& ask);
    /// Whether a connection of the site is better closed between two transactions, for others that wait.
    bool gives_way(const Site& site);

    /// What a transaction or an attempt told of the site; `doubted` as Site::record_success() gave it.
    void well(Site& site, bool doubted);
    void badly(const Site& site) { newcomers_.bad(site.standing.where); }
    /// It keeps others waiting that nothing good is known of either.
    bool crowded(const Site& site) const;

    /// Waits for work; false when there is none for so long that the connection is better closed.
    net::awaitable<bool> rest(SourceQueue& queue);

    /// At a stop: none rests, and those that send are waited for, then cut off (Delivery::stop()).
    net::awaitable<void> finish(std::chrono::seconds grace);
    /// They are cut off now.
    void hurry();

private:
    using Line = std::deque<SitePtr>;
    static bool wait(const SitePtr& site, Line& line);
    static SitePtr take(Line& line);

    Environment& env_;
    TrafficPtr traffic_ = std::make_shared<Traffic>(env_.io, env_.clock);
    Newcomers newcomers_;
    Line waiting_for_any_;             // the limit of all connections is reached
    Line waiting_as_newcomer_;         // the limit of newcomers is
    std::list<IdleConnection*> idle_;  // of all sites, the longest first
    std::size_t leaving_ = 0;          // connections that give way
    bool hurried_ = false;
};

}  // namespace postern::relay
