// What the status endpoint may ask of the running gateway and do to it.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "agent/log/metrics.h"
#include "agent/settings/overrides.h"
#include "relay/relay.h"
#include "sync/sync.h"

namespace postern::agent {

/// What stays the same while the process lives.
struct Identity {
    std::string version, hostname;
    std::chrono::system_clock::time_point started;
};

/// What a reload did.
struct Reloaded {
    std::vector<std::string> faults;              // empty: the file is in force
    std::vector<std::string> after_restart_only;  // keys that differ from what runs
};

/// What leads mail out: relay's view, and what the operator has laid over the configuration file.
struct Ways {
    std::vector<relay::GatewayView> gateways;
    std::vector<relay::RouteSettings> routes;  // of the file
    std::vector<relay::EgressView> egress;
    Overrides overrides;
};

/// A change that is not made, or one that is made and kept.
using Changed = tl::expected<void, Objection>;

/// All functions may be called from several threads at once.
struct Operations {
    Identity identity;
    std::function<relay::State()> state;
    std::function<std::vector<std::string>()> not_ready;  // reasons; empty: ready
    std::function<std::vector<std::string>()> degraded;   // mail is taken, but some of it cannot leave
    std::function<std::string()> metrics;
    std::function<Metrics::Totals()> totals;
    std::function<relay::QueuePage(const relay::QueueFilter&, std::size_t limit, std::size_t skip,
                                   relay::QueueOrder order)>
        list;
    std::function<relay::QueueSummary(const relay::QueueFilter&, std::size_t most)> summary;
    std::function<std::optional<relay::MessageView>(const std::string&)> show;
    std::function<relay::Applied(const relay::QueueFilter&)> retry, remove, hold, release;
    /// With the reason the sender is told; with the gateway, "" for what the rules say.
    std::function<relay::Applied(const relay::QueueFilter&, const std::string&)> bounce, move;
    std::function<Ways()> ways;
    std::function<Changed(const relay::RouteSettings&)> set_route, unset_route;
    std::function<Changed(const std::string& gateway, bool enabled)> enable;
    std::function<Changed(const std::string& address, bool suspended)> suspend;
    /// False when nothing was known against the address at the site, "" for anywhere.
    std::function<bool(const std::string& address, const std::string& site)> absolve;
    std::function<relay::Explanation(const std::string&, const std::string&, const std::string&)> explain;
    std::function<sync::Report()> directory;
    std::function<std::shared_ptr<const sync::Snapshot>()> snapshot;
    std::function<void()> poll, accept;  // accept: with what was held back
    std::function<bool(const std::string& local_part, const std::string& domain)> forget;
    std::function<Reloaded()> reload;
    /// Something was changed by somebody; with how many messages it was about, if it was about messages.
    std::function<void(const std::string& by, const std::string& what, std::optional<std::size_t> messages)>
        changed = [](const std::string&, const std::string&, std::optional<std::size_t>) {};
};

}  // namespace postern::agent
