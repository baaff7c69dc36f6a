// Mail goes out: destinations with their connections and troubles, fed by the queue.
#pragma once

#include <deque>
#include <list>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "relay/delivery/client.h"
#include "relay/net/asio.h"
#include "relay/net/resolver.h"
#include "relay/observer.h"
#include "relay/queue/queue.h"
#include "relay/settings.h"
#include "relay/views.h"
#include "sync/snapshot.h"

namespace postern::relay {

/// Everything here happens on the thread of its io_context.
class Delivery {
public:
    Delivery(net::io_context& io, Spool& spool, SettingsPtr settings,
             std::shared_ptr<const sync::Snapshot> directory, Observer& observer);

    void start();
    /// Takes up nothing more; resumes when the transactions in hand are over or, after `grace`, cut off.
    net::awaitable<void> stop(std::chrono::seconds grace);
    void reload(SettingsPtr settings);
    void publish(std::shared_ptr<const sync::Snapshot> directory) { directory_ = std::move(directory); }
    void committed(std::vector<StoredPtr> accepted, std::uint64_t changes);

    Queue& queue() { return queue_; }
    /// Destinations that are down are tried at once. Gives how many there were.
    std::size_t retry_destinations(const std::string& route);
    std::vector<DestinationView> destinations(std::size_t limit) const;
    std::size_t connections() const { return connections_; }
    net::Resolver& resolver() { return *resolver_; }

private:
    struct Rest {
        asio::steady_timer timer;
        bool woken = false;
    };
    /// What one connection limit, one trouble and one list of hosts are kept for.
    struct Site {
        std::string key;  // as Route::key, but never all gateways at once
        std::deque<Job> ready;
        std::list<Rest*> idle;     // connections without work
        unsigned connections = 0;  // open or opening
        unsigned opening = 0;
        unsigned failures = 0;   // in a row
        unsigned limit = 0;      // of connections, 0 for the configured one; fewer after a refusal
        unsigned successes = 0;  // since the limit was lowered or raised
        bool down = false;
        Time next_try{};                    // while it is down
        std::string trouble;                // in words, "" when all is well
        std::vector<Target> targets;        // as last looked up
        std::map<net::Endpoint, Time> bad;  // addresses that failed, until when they come last
    };
    using SitePtr = std::shared_ptr<Site>;

    /// Recipients that one host deferred while there are others to ask at once (RFC 5321 §5.1).
    struct SecondOpinion {
        Job job;
        std::vector<Outcome> outcomes;  // the first host's, which hold if no other can be asked
        net::Endpoint asked;
    };
    struct Turn {
        bool usable = true;  // the connection can carry more
        std::optional<SecondOpinion> open;
    };

    Queue::Hooks hooks();
    SitePtr site(const std::string& key);
    const Site* find(const std::string& key) const;
    const Site* blocked(const std::string& route) const;
    bool exists(const std::string& route) const;
    std::vector<std::string> lanes(const std::string& route) const;
    std::string next_lane(const std::string& route);
    std::size_t room_at(const std::string& key) const;
    std::size_t room(const std::string& route) const;
    void refill(const SitePtr& site);
    void offer(Job job);
    void employ(const SitePtr& site);  // wakes or opens a connection when there is work for one more
    void release(const SitePtr& site);
    net::awaitable<void> work(SitePtr site);
    net::awaitable<std::optional<SecondOpinion>> serve(SitePtr site, Client& client,
                                                       std::optional<SecondOpinion> first);
    net::awaitable<bool> rest(SitePtr site, Client& client);
    net::awaitable<Turn> transact(SitePtr site, Client& client, Job job, bool last_word);
    std::optional<SecondOpinion> set_apart(Job& job, std::vector<Outcome>& outcomes, net::Endpoint asked);
    net::awaitable<std::unique_ptr<Client>> connect(SitePtr site);
    net::awaitable<std::unique_ptr<Client>> connect_elsewhere(SitePtr site, const SecondOpinion& open);
    void resume();
    void works(const SitePtr& site);
    void fails(const SitePtr& site, const Outcome& why, unsigned others);
    void arm();
    void tick();
    Client::Options client_options() const;
    StoredPtr bounce(const Stored& stored, const Progress& progress,
                     const std::vector<std::uint16_t>& failed) const;

    net::io_context& io_;
    Spool& spool_;
    SettingsPtr settings_;
    std::shared_ptr<const sync::Snapshot> directory_;
    Observer& observer_;
    std::unique_ptr<net::Resolver> resolver_;
    net::TlsContext tls_;
    Queue queue_;
    std::map<std::string, SitePtr> sites_;
    std::set<std::pair<Time, std::string>> probes_;  // destinations that are down, by when they are tried
    std::deque<SitePtr> starving_;                   // had to wait for the limit of all connections
    std::set<Client*> clients_;
    std::size_t connections_ = 0, transactions_ = 0;
    asio::steady_timer timer_;
    Time armed_ = Time::max();
    std::size_t turn_ = 0;  // of the round-robin gateways
    bool stopping_ = false, paused_ = false;
    std::minstd_rand random_{std::random_device{}()};
};

}  // namespace postern::relay
