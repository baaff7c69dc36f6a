// Mail goes out. Two levels: what waits is filed by route (queue), what is ready stands in line at a site,
// one line for each of our addresses; a site is the set of hosts that routes lead to.
#pragma once

#include <deque>
#include <functional>
#include <list>
#include <map>
#include <memory>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "relay/delivery/alarms.h"
#include "relay/delivery/client.h"
#include "relay/delivery/connections.h"
#include "relay/delivery/contents.h"
#include "relay/delivery/destination.h"
#include "relay/delivery/environment.h"
#include "relay/delivery/learnt.h"
#include "relay/delivery/listing.h"
#include "relay/delivery/names.h"
#include "relay/delivery/site.h"
#include "relay/delivery/sorting.h"
#include "relay/delivery/sources.h"
#include "relay/egress/pool.h"
#include "relay/net/asio.h"
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
    /// Takes up nothing more; resumes when the transactions in hand are over or, after `grace`, cut off. With
    /// any grace at all, those whose message is sent and not answered get two and a half minutes: who is cut
    /// off there may get it twice.
    net::awaitable<void> stop(std::chrono::seconds grace);
    void reload(SettingsPtr settings);
    void publish(std::shared_ptr<const sync::Snapshot> directory) { directory_ = std::move(directory); }
    void committed(std::vector<StoredPtr> accepted, std::uint64_t changes, bool unstuck);

    Queue& queue() { return queue_; }
    /// Gives back what stands in line although an operator wants something else with it.
    void recall();
    void recall(const std::function<bool(const Job&)>& which);
    void arm() { alarms_.arm(); }  // the timer, after something that may have changed when it is needed
    /// Destinations that are down are tried at once. Gives how many there were.
    std::size_t retry_destinations(const std::string& route);
    std::vector<DestinationView> destinations(std::size_t limit) const;
    std::vector<GatewayView> gateways() const;
    std::vector<EgressView> egress() const;
    bool absolve(const std::string& address, const std::string& site);
    std::size_t connections() const { return connections_.traffic()->connections; }
    /// Why names are looked up without DNSSEC, or not at all, in words; "" when all is well.
    std::string dns_trouble() const { return names_.trouble(); }
    /// Fills in what is known only here: hosts, TLS, egress, limits.
    net::awaitable<Explanation> explain(Explanation begun, Envelope envelope);

private:
    /// Recipients that one host deferred while there are others to ask at once (RFC 5321 §5.1).
    struct SecondOpinion {
        Job job;
        std::vector<Outcome> outcomes;  // the first host's, which hold if no other can be asked
        net::Endpoint asked;
    };
    struct Turn {
        bool usable = true;  // the connection can carry more
        std::optional<SecondOpinion> open;
        std::optional<Job> again;  // by a fresh connection, at once: this one was not fit for it
    };
    /// What stands in the way of a route, with the earliest time to try.
    struct Blocked {
        std::string trouble;
        Time next_try{};
    };
    // delivery.cc: routes, room, time, reports; delivery_views.cc: what is told
    Queue::Hooks hooks();
    void tell_between(const Envelope& envelope, const Address& recipient, const std::string& route);
    bool exists(const std::string& route) const;
    void move_obsolete();
    std::vector<std::string> lanes(const std::string& route) const;
    std::string next_lane(const std::string& route);
    std::optional<Blocked> blocked(const std::string& route) const;
    const Destination* find(const std::string& route) const;
    std::size_t room_at(const std::string& key) const;
    std::size_t room(const std::string& route);
    std::size_t room_in_all(const std::string& route) const;
    void feed(Hungry& hungry);
    void resume();
    void tick();
    void tidy(Time time);

    // delivery_sites.cc: from a job to a line, and connections for it
    DestinationPtr destination(const std::string& route, TlsWish wish);
    SitePtr site(const std::string& key);
    void offer(Job job);
    void enter(Job job, const std::string& route);
    void look_up(const DestinationPtr& destination);
    net::awaitable<void> resolve(DestinationPtr destination);
    void adopt(const SitePtr& site, const std::string& route, TlsWish wish, Targets targets);
    bool still_known(const Destination& destination, const Targets& targets) const;
    void lookup_failed(const DestinationPtr& destination, const Reply& trouble);
    void dispatch(Job job, const SitePtr& site);
    void employ(const SitePtr& site);  // wakes or opens a connection when there is work for one more
    void release(const SitePtr& site);
    void refill(const SitePtr& site);
    void works(const SitePtr& site);
    void fails(const SitePtr& site, const Outcome& why, unsigned others, Time begun);
    void put_down(const SitePtr& site, std::string why, Time until);
    void settle_all(std::vector<Job> jobs, const Outcome& why);
    void settle_later(Job job, Outcome why);

    // delivery_connect.cc: a connection
    Client::Options client_options(const Source& source);
    static void know_tls(const Site& site, const Target& target, Client::Options& options);
    net::awaitable<std::unique_ptr<Client>> connect(SitePtr site, SourceQueue& from);
    void refused_for_good(const SitePtr& site, SourceQueue& from, Outcome why);
    net::awaitable<bool> look_up_again(SitePtr site);
    std::vector<Target> targets_from(const Site& site, const Source& source);
    void spoils(Site& site, const net::Endpoint& endpoint);
    std::chrono::seconds patience(const Site& site, const SourceQueue& from, const Target& target,
                                  std::span<const Target> rest) const;
    net::awaitable<std::unique_ptr<Client>> connect_elsewhere(SitePtr site, SourceQueue& from,
                                                              const SecondOpinion& open);

    /// Whether a connection is better closed between two transactions, for others or because it is of before.
    bool gives_way(const Site& site, const Client& client);
    std::string lane_of(const Site& site, const Job& job) const;
    bool meant_for(const Site& site, const Client& client, const Job& job) const;
    void turn_away(const SitePtr& site, const Client& client, Job job);

    // delivery_sessions.cc: what a connection does
    net::awaitable<void> work(SitePtr site, SourceQueue& from, std::unique_ptr<ConnectionSlot> slot);
    net::awaitable<std::unique_ptr<Client>> open_for(SitePtr site, SourceQueue& from, ConnectionSlot& slot);
    net::awaitable<Turn> serve(SitePtr site, SourceQueue& from, Client& client, std::optional<Job> first);
    net::awaitable<void> ask_elsewhere(SitePtr site, SourceQueue& from, SecondOpinion open);
    net::awaitable<Turn> transact(SitePtr site, SourceQueue& from, Client& client, Job job, bool last_word);
    net::awaitable<Turn> carry(SitePtr site, SourceQueue& from, Client& client, Job& job, bool last_word);
    void learn_tls(const SitePtr& site, const Client& client, const Transaction& transaction);
    /// After a session that ended at MAIL without a word: true when that may be a policy against the sender,
    /// and says nothing of the site yet.
    bool cut_off(const SitePtr& site, const Job& job, const Outcome& why);
    /// Settles at once whom the host cannot take this message for; what is left of the job fits it in the
    /// form it gives. Null when nothing is left, or it cannot be read now.
    net::awaitable<FormPtr> fit_to(const Client& client, Job& job);
    void refuse(const Client& client, const Job& job, const std::vector<Reply>& replies);
    void cannot_read(const Job& job, const ContentFault& fault);
    std::optional<Job> take_out(Job& job, Results& results, const std::vector<bool>& apart);
    std::optional<SecondOpinion> send_on(const SitePtr& site, SourceQueue& from, const Client& client,
                                         Job& job, Results& results, bool others);

    // delivery_egress.cc: which of our addresses
    /// None of our addresses may send to this domain for now.
    void put_off(const std::string& route, const EgressPool::Choice& choice);
    /// Whether there is another to try at once; if there is none at all, the mail's domain waits.
    bool another_address(const SitePtr& site, const Job& job);
    /// Refused before any mail was named, for a reason nobody knows: others of our addresses are tried.
    bool compare(const SitePtr& site, SourceQueue& from, const Reply& reply);
    void accepted(const SitePtr& site, const SourceQueue& from, const Job& job);
    void redistribute(const SitePtr& site, SourceQueue& from);
    void redistribute_all();
    void persist(bool wait);

    Environment env_;
    std::shared_ptr<const sync::Snapshot> directory_;
    std::set<std::pair<std::string, std::string>> between_;  // primaries whose mail goes to another, told
    Learnt learnt_;
    Names names_;
    Contents contents_;
    Sources sources_;
    Listing listing_;
    Queue queue_;
    std::map<std::string, SitePtr> sites_;
    std::map<std::pair<std::string, TlsWish>, DestinationPtr> destinations_;
    Alarms alarms_;
    Connections connections_;
    Time next_sweep_{}, next_persist_{};
    std::size_t turn_ = 0;  // of the round-robin gateways
};

}  // namespace postern::relay
