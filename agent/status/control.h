// What the status endpoint asks of the running gateway and does to it: an interface that program/ implements.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "agent/log/metrics.h"
#include "agent/settings/overrides.h"
#include "relay/relay.h"
#include "sync/base/clock.h"
#include "sync/cluster/view.h"
#include "sync/sync.h"

namespace postern::agent {

/// What stays the same while the process lives.
struct Identity {
    std::string version, hostname;
    base::Time started;
};

/// What a reload did.
struct Reloaded {
    std::vector<std::string> faults;              // empty: the file is in force
    std::vector<std::string> after_restart_only;  // keys that differ from what runs
};

/// What leads mail out: relay's view, and what the operator has laid over the configuration file.
struct OutgoingRoutes {
    std::vector<relay::GatewayView> gateways;
    std::vector<relay::RouteSettings> routes;  // of the file
    std::vector<relay::EgressView> egress;
    Overrides overrides;
};

/// A change that is not made, or one that is made and kept.
using Changed = tl::expected<void, Objection>;

// All functions of these may be called from several threads at once. They throw Stopping once the gateway is
// about to end, and Busy when too much of it goes on (agent/http/answer.h).

/// The messages that wait.
class QueueControl {
public:
    virtual ~QueueControl() = default;
    virtual relay::QueuePage list(const relay::QueueFilter& filter, std::size_t limit, std::size_t skip,
                                  relay::QueueOrder order) = 0;
    virtual relay::QueueSummary summary(const relay::QueueFilter& filter, std::size_t most) = 0;
    virtual std::optional<relay::MessageView> show(const std::string& id) = 0;
    virtual relay::Applied retry(const relay::QueueFilter& filter) = 0;
    virtual relay::Applied remove(const relay::QueueFilter& filter) = 0;
    virtual relay::Applied hold(const relay::QueueFilter& filter) = 0;
    virtual relay::Applied release(const relay::QueueFilter& filter) = 0;
    /// With the reason the sender is told.
    virtual relay::Applied bounce(const relay::QueueFilter& filter, const std::string& reason) = 0;
    /// To a gateway, "" for what the rules say.
    virtual relay::Applied move(const relay::QueueFilter& filter, const std::string& gateway) = 0;
    // What was set aside in STATE_DIR/damaged.
    virtual relay::SetAsidePage set_aside() = 0;
    virtual relay::Restored restore(const std::string& file) = 0;
};

/// Gateways, routes and the addresses mail leaves from.
class OutgoingControl {
public:
    virtual ~OutgoingControl() = default;
    virtual OutgoingRoutes routes() = 0;
    virtual Changed set_route(const relay::RouteSettings& route) = 0;
    virtual Changed unset_route(const relay::RouteSettings& route) = 0;
    virtual Changed enable_gateway(const std::string& name, bool enabled) = 0;
    virtual Changed suspend_egress(const std::string& address, bool suspended) = 0;
    /// False when nothing was known against the address at the site, "" for anywhere.
    virtual bool forget_egress(const std::string& address, const std::string& site) = 0;
};

/// What is known of the primaries, and what would become of a message by it.
class DirectoryControl {
public:
    virtual ~DirectoryControl() = default;
    virtual sync::Report report() = 0;
    virtual std::shared_ptr<const sync::Snapshot> snapshot() = 0;
    virtual void poll() = 0;
    virtual void accept() = 0;  // as poll(), with what was held back
    virtual bool forget(const std::string& local_part, const std::string& domain) = 0;
    virtual relay::Explanation explain(const std::string& from, const std::string& to,
                                       const std::string& client) = 0;
};

/// The process as a whole.
class ProcessControl {
public:
    virtual ~ProcessControl() = default;
    virtual Identity identity() = 0;
    virtual relay::State state() = 0;
    /// How much senders handed in: one of them, or ("") all.
    virtual std::vector<relay::VolumeView> senders(const std::string& who, std::size_t most) = 0;
    virtual relay::UnusualView unusual() = 0;
    virtual relay::ScreeningView screening() = 0;
    virtual std::optional<relay::Applied> release_sender(const std::string& who) = 0;
    virtual std::optional<relay::Applied> drop_sender(const std::string& who) = 0;
    virtual bool expect(const std::string& who, std::uint64_t recipients, std::chrono::seconds length) = 0;
    /// What is counted for reports about TLS: of one domain, or ("") all.
    virtual std::vector<relay::TlsReportView> tls_reports(const std::string& domain, std::size_t most) = 0;
    virtual bool send_tls_report(const std::string& domain) = 0;  // false: nothing is counted
    virtual std::vector<std::string> not_ready() = 0;             // reasons; empty: ready
    virtual std::vector<std::string> degraded() = 0;  // mail is taken, but some of it cannot leave
    virtual std::string metrics() = 0;
    virtual Metrics::Totals totals() = 0;
    /// Other gateways that share what this one knows; not `on` where there are none.
    virtual sync::ClusterView cluster() = 0;
    virtual Reloaded reload() = 0;
    /// Tells that something was changed by somebody; with how many messages, if it was about messages.
    virtual void changed(const std::string& by, const std::string& what,
                         std::optional<std::size_t> messages) = 0;
};

/// Who holds it sees to it that all of it outlives it.
struct Control {
    QueueControl& queue;
    OutgoingControl& outgoing;
    DirectoryControl& directory;
    ProcessControl& process;
    const base::Clock& clock;
};

}  // namespace postern::agent
