// Mail goes out. Two levels: what waits is filed by route (queue), what is ready stands in line at a site,
// one line for each of our addresses; a site is the set of hosts that routes lead to.
#pragma once

#include <asio/thread_pool.hpp>
#include <deque>
#include <functional>
#include <list>
#include <map>
#include <memory>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "relay/delivery/client.h"
#include "relay/delivery/newcomers.h"
#include "relay/delivery/site.h"
#include "relay/egress/pool.h"
#include "relay/net/asio.h"
#include "relay/net/dnssec_proof.h"
#include "relay/net/resolver.h"
#include "relay/observer.h"
#include "relay/queue/queue.h"
#include "relay/security/sts_store.h"
#include "relay/settings.h"
#include "relay/views.h"
#include "sync/directory/snapshot.h"

namespace postern::relay {

/// What was learnt, in state_dir.
inline constexpr const char* egress_file = "egress.state";
inline constexpr const char* policies_file = "mta-sts.state";

/// What is going on. Its connections share it: at the end of the process they may outlive everything else
/// here.
struct Traffic {
    std::set<Client*> clients;
    std::size_t transactions = 0;
};
using TrafficPtr = std::shared_ptr<Traffic>;

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
    void reload(SettingsPtr settings, const net::PreparedTls& tls);
    void publish(std::shared_ptr<const sync::Snapshot> directory) { directory_ = std::move(directory); }
    void committed(std::vector<StoredPtr> accepted, std::uint64_t changes, bool unstuck);

    Queue& queue() { return queue_; }
    /// Gives back what stands in line although an operator wants something else with it.
    void recall();
    void recall(const std::function<bool(const Job&)>& which);
    void arm();  // the timer, after something that may have changed when it is needed
    /// Destinations that are down are tried at once. Gives how many there were.
    std::size_t retry_destinations(const std::string& route);
    std::vector<DestinationView> destinations(std::size_t limit) const;
    std::vector<GatewayView> gateways() const;
    std::vector<EgressView> egress() const;
    bool absolve(const std::string& address, const std::string& site);
    std::size_t connections() const { return connections_; }
    /// Why names are looked up without DNSSEC, or not at all, in words; "" when all is well.
    std::string dns_trouble() const;
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
    struct Alarm {
        Time at;
        std::weak_ptr<Site> site;
        std::weak_ptr<Destination> destination;
        bool operator>(const Alarm& other) const { return at > other.at; }
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
    void forget(Time time);
    void run(net::awaitable<void> work, std::function<void()> after);
    void wake(const SitePtr& site, Time at);
    void wake(const DestinationPtr& destination, Time at);
    StoredPtr report(Stored stored, const Progress& progress,
                     const std::vector<Queue::Notice>& notices) const;

    // delivery_sites.cc: from a job to a line, and connections for it
    DestinationPtr destination(const std::string& route, TlsWish wish);
    SitePtr site(const std::string& key);
    Surroundings surroundings(const std::string& asker);
    void offer(Job job);
    void enter(Job job, const std::string& route);
    void look_up(const DestinationPtr& destination);
    net::awaitable<void> resolve(DestinationPtr destination);
    void adopt(const SitePtr& site, const std::string& route, TlsWish wish, Targets targets);
    bool still_known(const Destination& destination, const Targets& targets) const;
    void lookup_failed(const DestinationPtr& destination, const Reply& trouble);
    void dispatch(Job job, const SitePtr& site);
    Lane& lane(Site& site, const Source& source);
    void employ(const SitePtr& site);  // wakes or opens a connection when there is work for one more
    bool may_open(const SitePtr& site);
    void release(const SitePtr& site, Lane& lane);
    void call_next();
    void refill(const SitePtr& site);
    void works(const SitePtr& site);
    void fails(const SitePtr& site, const Outcome& why, unsigned others, Time begun);
    void put_down(const SitePtr& site, std::string why, Time until);
    void settle_all(std::vector<Job> jobs, const Outcome& why);
    void settle_later(Job job, Outcome why);

    // delivery_connect.cc: a connection
    Client::Options client_options(const Source& source);
    static void know_tls(const Site& site, const Target& target, Client::Options& options);
    net::awaitable<std::unique_ptr<Client>> connect(SitePtr site, Lane& lane);
    void refused_for_good(const SitePtr& site, Lane& lane, Outcome why);
    net::awaitable<bool> look_up_again(SitePtr site);
    std::vector<Target> targets_from(const Site& site, const Source& source);
    Families families(const Site& site) const;  // that its hosts are tried by at present
    bool family_fails(const SitePtr& site, const Lane& lane, Time begun);
    void reached(const SitePtr& site, const Target& target, Time begun);
    void spoils(Site& site, const net::Endpoint& endpoint);
    std::chrono::seconds patience(const Site& site, const Lane& lane, const Target& target,
                                  std::span<const Target> rest) const;
    net::awaitable<std::unique_ptr<Client>> connect_elsewhere(SitePtr site, Lane& lane,
                                                              const SecondOpinion& open);

    /// Whether a connection is better closed between two transactions, for others or because it is of before.
    bool gives_way(const Site& site, const Client& client);
    std::string lane_of(const Site& site, const Job& job) const;
    bool meant_for(const Site& site, const Client& client, const Job& job) const;
    void turn_away(const SitePtr& site, const Client& client, Job job);

    // delivery_sessions.cc: what a connection does
    net::awaitable<void> work(SitePtr site, Lane& lane);
    net::awaitable<std::unique_ptr<Client>> open_for(SitePtr site, Lane& lane);
    net::awaitable<Turn> serve(SitePtr site, Lane& lane, Client& client, std::optional<Job> first);
    net::awaitable<void> ask_elsewhere(SitePtr site, Lane& lane, SecondOpinion open);
    net::awaitable<bool> rest(SitePtr site, Lane& lane, Client& client);
    net::awaitable<Turn> transact(SitePtr site, Lane& lane, Client& client, Job job, bool last_word);
    net::awaitable<Turn> carry(SitePtr site, Lane& lane, Client& client, Job& job, bool last_word);
    void learn_tls(const SitePtr& site, const Client& client, const Transaction& transaction);
    /// After a session that ended at MAIL without a word: true when that may be a policy against the sender,
    /// and says nothing of the site yet.
    bool cut_off(const SitePtr& site, const Job& job, const Outcome& why);
    /// Settles at once whom the host cannot take this message for; what is left of the job fits it in the
    /// form it gives. Null when nothing is left, or it cannot be read now.
    net::awaitable<FormPtr> fit_to(const Client& client, Job& job);
    net::awaitable<FormPtr> form_for(const Client& client, const Job& job, Formless& why);
    void refuse(const Client& client, const Job& job, const std::vector<Reply>& replies);
    void tell_our_trouble(const std::string& what);
    void cannot_read(const Job& job, const ContentFault& fault);
    /// Takes out of the job the recipients that `which` says, outcomes and all; nullopt for none.
    std::optional<Job> take_out(Job& job, std::vector<Outcome>& outcomes, std::vector<Meaning>& meanings,
                                const std::function<bool(Meaning)>& which);
    std::optional<SecondOpinion> set_apart(Job& job, std::vector<Outcome>& outcomes, net::Endpoint asked);

    // delivery_egress.cc: which of our addresses
    bool out_of_use(const Site& site, const Lane& lane) const;
    /// What the receiver said of our address. True when the job's mail is better sent from another.
    bool blame(const SitePtr& site, const Source& source, const Reply& reply, const Target& target);
    void refused(const SitePtr& site, const Source& source, const Judgement& judgement, const Reply& reply,
                 const EgressPool::Refuser& who);
    Judgement judge(const Job& job, std::size_t recipient, const Outcome& outcome, const Source& source,
                    std::string_view host) const;
    /// Whether a refusal because of our address is about this mail after all.
    bool taken_at_its_word(const SitePtr& site, const Job& job, std::size_t recipient, const Source& source,
                           const Outcome& outcome, std::string_view host) const;
    /// None of our addresses may send to this domain for now.
    void put_off(const std::string& route, const EgressPool::Choice& choice);
    void told(const std::optional<EgressPool::Verdict>& verdict);
    void over(const std::vector<EgressPool::Verdict>& verdicts, std::string_view why);
    /// Takes out of the job, and sends on from another address, what was refused because of ours.
    void move_on(const SitePtr& site, Lane& lane, Job& job, std::vector<Outcome>& outcomes,
                 const Target& target);
    /// Refused before any mail was named, for a reason nobody knows: others of our addresses are tried.
    bool another_for(const SitePtr& site, const Lane& lane) const;
    bool compare(const SitePtr& site, Lane& lane, const Reply& reply);
    void accepted(const SitePtr& site, const Lane& lane, const Job& job);
    void redistribute(const SitePtr& site, Lane& lane);
    void redistribute_all();
    void slow_down(const SitePtr& site);
    net::awaitable<void> watch_blocklists();
    void persist(bool wait);

    // delivery_dnssec.cc: whether answers are validated
    void watch_dnssec();
    void dnssec_changed();
    void keep_proof();

    net::io_context& io_;
    Spool& spool_;
    SettingsPtr settings_;
    std::shared_ptr<const sync::Snapshot> directory_;
    Observer& observer_;
    std::set<std::pair<std::string, std::string>> between_;  // primaries whose mail goes to another, told
    std::unique_ptr<net::Resolver> resolver_;
    net::Proof proof_;        // of the start
    std::string dns_told_;    // dns_trouble()
    bool proof_due_ = false;  // is to be written
    bool proof_failed_ = false;
    std::shared_ptr<OwnAddresses> own_ = std::make_shared<OwnAddresses>();
    IsOurs ours_;
    net::TlsContext tls_;
    StsFetch fetch_;
    StsStore policies_;
    EgressPool pool_;
    Queue queue_;
    static constexpr std::size_t known_max = 20'000;  // destinations, and sites, that are not in use
    bool forget_due_ = false;
    std::map<std::string, SitePtr> sites_;
    std::map<std::pair<std::string, TlsWish>, DestinationPtr> destinations_;
    std::vector<Alarm> alarms_;     // a heap, the earliest first
    FamilyMemory families_{3};      // of all sites that have both
    std::deque<SitePtr> starving_;  // had to wait for the limit of all connections
    std::deque<SitePtr> unknown_;   // had to wait for the limit of newcomers
    Newcomers newcomers_;
    std::list<Rest*> resting_;                // of all sites, the longest first
    std::size_t employed_ = 0, leaving_ = 0;  // sites with connections; connections that give way
    TrafficPtr traffic_ = std::make_shared<Traffic>();
    std::map<std::string, std::string> leading_;  // by site: the address its mail left from last
    std::size_t connections_ = 0;
    asio::steady_timer timer_, blocklists_;
    Time armed_ = Time::max(), next_sweep_{}, next_persist_{}, next_told_{};
    std::size_t turn_ = 0;  // of the round-robin gateways
    bool stopping_ = false;
    std::minstd_rand random_{std::random_device{}()};
    Forms forms_;                     // used on converter_ only
    asio::thread_pool keeper_{1};     // writes down what was learnt
    asio::thread_pool files_{4};      // contents are read on
    asio::thread_pool converter_{1};  // forms are made on
};

}  // namespace postern::relay
