// relay as a whole, as the agent sees it: start, reload, stop, and what can be asked of it while it runs.
#pragma once

#include <chrono>
#include <cstdint>
#include <exception>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "relay/asking.h"
#include "relay/observer.h"
#include "relay/settings.h"
#include "relay/views.h"
#include "relay/volume/episode.h"
#include "relay/volume/tally.h"
#include "sync/base/clock.h"
#include "sync/base/disk.h"
#include "sync/directory/snapshot.h"

namespace postern::relay {

using DirectoryPtr = std::shared_ptr<const sync::Snapshot>;

/// Who sends more than usual, and who said so before. Times are of the wall.
struct UnusualView {
    std::vector<EpisodeView> senders;
    std::vector<Announced::Mailing> announced;
    base::Time learning_until{};  // a new site is only watched so far; the epoch: it is not new
};

struct RelayParts;
class Shared;
class WorkerThreads;
namespace net {
class Outside;
}

/// start() and stop() are for one thread; what else may be called from where stands with it.
/// One thing: the way in, which hands on each call to the thread it concerns and keeps nothing.
class Relay {
public:
    /// Takes the state_dir's lock, opens the spool, binds the listeners. Throws std::runtime_error in words
    /// an administrator understands. What is referred to outlives the Relay.
    Relay(SettingsPtr settings, DirectoryPtr directory, Observer& observer, const base::Clock& clock,
          base::Disk& disk, net::Outside& outside);
    ~Relay();  // stop()

    void start();  // threads; returns at once
    /// Refuses new mail with 421, lets transactions in hand finish within `grace`, closes the spool.
    /// Idempotent.
    void stop(std::chrono::seconds grace = std::chrono::seconds(30));
    /// Ends the grace of a stop() under way: sessions and deliveries are cut off, what is pending is
    /// committed. Any thread.
    void hurry();

    // Safe from any thread once started; answers come from relay's own threads. After stop() queries answer
    // empty, and actions do nothing and count 0.
    /// Reads what a reload needs of files, so that no thread of the mail waits for a disk. Throws
    /// std::runtime_error when a setting cannot be used; then everything stays as it is.
    struct Prepared;
    std::shared_ptr<const Prepared> prepare(SettingsPtr settings) const;
    void reload(std::shared_ptr<const Prepared> prepared);  // listeners, state_dir are taken only at start
    /// How to ask the primary about an address the directory does not know: before start(). `done` comes
    /// after the publish() of what was learned, with false when nothing could be, and not after this object
    /// is gone.
    void ask_with(AskDirectory ask);
    /// Is told the domain of each sender of a primary's mail, on relay's thread: before start().
    void notice_with(NoticeSender notice);
    /// How other gateways are asked, and through what they are told and heard.
    void ask_gateways_with(AskGateways ask);
    Shared& shared();
    void publish(DirectoryPtr directory);  // readers switch to it at their next look-up
    std::uint64_t messages();              // in the spool; cheaper than state()
    State state();
    /// At most `limit` messages behind the first `skip`; fewer, when they have very many recipients.
    QueuePage list(const QueueFilter& filter, std::size_t limit, std::size_t skip = 0,
                   QueueOrder order = QueueOrder::oldest);
    /// At most `most` of each kind.
    QueueSummary summary(const QueueFilter& filter, std::size_t most);
    std::optional<MessageView> show(const std::string& id);
    Applied retry(const QueueFilter& filter);    // due now; gives how many messages
    Applied remove(const QueueFilter& filter);   // without a bounce; gives how many messages
    Applied hold(const QueueFilter& filter);     // until released; does not expire meanwhile
    Applied release(const QueueFilter& filter);  // due now
    /// Fails what is pending, with a report to the sender that says `reason`.
    Applied bounce(const QueueFilter& filter, const std::string& reason);
    /// Through this gateway whatever the rules say; "" gives it back to the rules.
    Applied move(const QueueFilter& filter, const std::string& gateway);
    /// What lies in STATE_DIR/damaged; of very many files the first ones.
    SetAsidePage set_aside();
    /// Takes a message of it again as a new one, on the disk when this returns, and renames the file.
    Restored restore(const std::string& file);
    std::vector<GatewayView> gateways();
    std::vector<EgressView> egress();
    /// See Tally::views().
    std::vector<VolumeView> senders(const std::string& who, std::size_t most);
    UnusualView unusual();
    ScreeningView screening();
    /// A sender's unusual volume is all right, and what was slowed down or held of its mail goes now; nullopt
    /// when there is nothing unusual about it.
    /// `decided`: when that was said, of the wall, at another gateway; what began later is not meant.
    std::optional<Applied> release_sender(const std::string& who, base::Time decided = {});
    /// It is not, and what was slowed down or held of its mail is deleted; nothing is learnt. nullopt as
    /// above.
    std::optional<Applied> drop_sender(const std::string& who, base::Time decided = {});
    /// For so long so many recipients of a user or a domain are neither too many nor unusual; 0: no more.
    /// False when too many mailings are announced.
    bool expect(const std::string& who, std::uint64_t recipients, std::chrono::seconds length);
    /// What is counted for reports about TLS, at most so many: of one domain, or ("") all.
    std::vector<TlsReportView> tls_reports(const std::string& domain, std::size_t most);
    /// A domain's report goes now; false when nothing is counted for it.
    bool send_tls_report(const std::string& domain);
    /// Why names are looked up without DNSSEC, or not at all, in words; "" when all is well.
    std::string dns_trouble();
    /// Drops what was learnt against an address, for one site or (site "") altogether. False: nothing was
    /// known.
    bool forget(const std::string& address, const std::string& site);
    /// What is known at once; `pending` when name servers have to be asked for the rest. `whole` is then
    /// called with it, or with what went wrong, on relay's thread, unless relay ends before. Whoever waits
    /// for it sets the limit.
    struct Explaining {
        Explanation so_far;
        bool pending = false;
    };
    using Explained = std::function<void(std::exception_ptr, Explanation)>;
    Explaining explain(const std::string& from, const std::string& to, const std::string& client,
                       Explained whole);

private:
    std::unique_ptr<WorkerThreads> workers_;
    std::unique_ptr<RelayParts> parts_;
    std::unique_ptr<Shared> shared_;
};

}  // namespace postern::relay
